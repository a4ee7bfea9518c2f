"""A program that was started anew into the same log, told by what it prints before its first figures."""

from __future__ import annotations

import pytest

from vlmft_console.history.importers.entries.translate import Translator
from vlmft_console.history.importers.printed.line_log import LineLog
from vlmft_core.run_folder.events import Record

BANNER = (
    "Loading the configuration from {}:{} on",
    "Namespace(batch=8, lr=0.001)",
    "number of parameters: 123.59M",
    "using fused AdamW: True",
    "compiling the model",
    "starting",
)


def program(first: int, losses: int, *, named: bool = True, banner: int = len(BANNER)) -> str:
    """What one start of a program prints."""
    lines = [line.format(first, losses) for line in BANNER[:banner]]
    lines += [
        f"step {first + at}: loss {3 - at / 8:.4f}" if named else f"loss {3 - at / 8:.4f}" for at in range(losses)
    ]
    return "".join(f"{line}\n" for line in lines)


def read(text: str, size: int | None = None) -> list[Record]:
    parser, data = LineLog(Translator("run"), bare=True), text.encode()
    size = size or len(data)
    pieces = [data[at : at + size] for at in range(0, len(data), size)]
    return [record for piece in pieces for record in parser.feed(piece)] + parser.rest()


def trainings(records: list[Record]) -> list[list[int]]:
    """The steps of each."""
    found: list[list[int]] = [[]]
    for record in records:
        if record["event"] == "run_start":
            found.append([])
        elif record["event"] == "step":
            found[-1].append(record["step"])
    return found


def test_a_program_that_failed_after_two_steps_and_was_started_anew_is_two_trainings() -> None:
    found = trainings(read(program(1, 2) + program(1, 4)))
    assert found == [[1, 2], [1, 2, 3, 4]]


def test_losses_without_any_step_are_told_apart_by_the_banner_between_them() -> None:
    found = trainings(read(program(1, 3, named=False) + program(1, 4, named=False)))
    assert found == [[1, 2, 3], [1, 2, 3, 4]]


def test_a_program_that_goes_on_after_its_last_step_is_one_training() -> None:
    assert trainings(read(program(1, 4) + program(5, 4))) == [[1, 2, 3, 4, 5, 6, 7, 8]]


def test_a_few_lines_that_come_at_every_epoch_are_no_start() -> None:
    every = "".join(program(1, 3, named=False, banner=3) for _ in range(4))
    assert trainings(read(every)) == [list(range(1, 13))]


@pytest.mark.parametrize("size", [1, 2, 7, 50])
def test_in_pieces_it_is_the_same(size: int) -> None:
    text = program(1, 2) + program(1, 4) + program(5, 3)
    assert read(text, size) == read(text)


def test_what_a_program_prints_before_every_epoch_begins_no_training() -> None:
    told = "".join(
        f"===== Epoch {epoch} / 3 =====\nTraining...\n  Batch 40 of 200.\nlr is low\nso far so good\nall is well\n"
        f"  Average training loss: {3 - epoch / 2}\n"
        for epoch in (1, 2, 3)
    )
    assert trainings(read(told)) == [[1, 2, 3]]
    assert trainings(read(told * 2)) == [[1, 2, 3], [1, 2, 3]]
