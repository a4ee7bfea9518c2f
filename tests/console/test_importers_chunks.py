"""However a log arrives, in whatever pieces, it gives the same events."""

from __future__ import annotations

import random
from collections.abc import Callable
from pathlib import Path

import orjson
import pytest

from tests.console.foreign_logs import (
    DEEPSPEED,
    HF5_STDOUT,
    HF_STDOUT,
    LLAMAFACTORY,
    MSSWIFT,
    RANKS_STDOUT,
    TENSORBOARD,
    WANDB,
    steps,
)
from vlmft_console.history.importers import open_foreign
from vlmft_console.history.importers.entries.translate import Translator
from vlmft_console.history.importers.printed.console_text import ConsoleText
from vlmft_console.history.importers.printed.jsonl import JsonLines
from vlmft_console.history.importers.reader import Parser
from vlmft_console.history.importers.stores.tensorboard import EventFile
from vlmft_console.history.importers.stores.wandb import WandbFile
from vlmft_core.run_folder import growing
from vlmft_core.run_folder.events import Record, parse

MakeParser = Callable[[Translator], Parser]


def hugging_face(translator: Translator) -> Parser:
    return ConsoleText(translator, deepspeed_steps=False)


def deepspeed(translator: Translator) -> Parser:
    return ConsoleText(translator, deepspeed_steps=True)


HOSTILE = (
    b"{'loss': 1.0, " + b"{" * 50 + b"'loss'" + b"}" * 20 + b"\r{'loss': 2.0}" + b"\x1b[31m\x00{'loss':" + b"9" * 9000
)

SMALL = {
    "old dicts": (hugging_face, HF_STDOUT),
    "string dicts": (hugging_face, HF5_STDOUT),
    "prefixed ranks": (hugging_face, RANKS_STDOUT),
    "deepspeed": (deepspeed, DEEPSPEED),
    "deepspeed beside dicts": (hugging_face, DEEPSPEED + HF_STDOUT),
    "llamafactory": (JsonLines, LLAMAFACTORY),
    "msswift": (JsonLines, MSSWIFT),
}
LARGE = {"hostile": (hugging_face, HOSTILE), "tensorboard": (EventFile, TENSORBOARD), "wandb": (WandbFile, WANDB)}


def records_of(make: MakeParser, pieces: list[bytes]) -> tuple[list[Record], int, int]:
    parser = make(Translator("run"))
    records = [record for piece in pieces for record in parser.feed(piece)]
    return records + parser.rest(), parser.rejected, parser.entries


@pytest.mark.parametrize("name", SMALL)
def test_a_log_cut_in_two_at_any_byte_gives_the_same_events(name: str) -> None:
    make, data = SMALL[name]
    whole = records_of(make, [data])
    assert whole[0]
    for cut in range(len(data)):
        assert records_of(make, [data[:cut], data[cut:]]) == whole, cut


@pytest.mark.parametrize("name", SMALL)
def test_a_log_that_comes_byte_by_byte_gives_the_same_events(name: str) -> None:
    make, data = SMALL[name]
    assert records_of(make, [data[at : at + 1] for at in range(len(data))]) == records_of(make, [data])


@pytest.mark.parametrize("name", LARGE)
def test_a_large_log_cut_at_random_gives_the_same_events(name: str) -> None:
    make, data = LARGE[name]
    whole, chance = records_of(make, [data]), random.Random(7)
    assert whole[0]
    for _ in range(60):
        cuts = sorted(chance.sample(range(len(data)), chance.randrange(1, 40)))
        pieces = [data[start:end] for start, end in zip([0, *cuts], [*cuts, len(data)], strict=True)]
        assert records_of(make, pieces) == whole


@pytest.mark.parametrize("name", [*SMALL, *LARGE])
def test_a_damaged_log_never_crashes_its_importer(name: str) -> None:
    make, data = {**SMALL, **LARGE}[name]
    chance = random.Random(11)
    for _ in range(150):
        damaged = bytearray(data)
        for _ in range(chance.randrange(1, 30)):
            at = chance.randrange(len(damaged))
            damaged[at : at + chance.randrange(3)] = chance.randbytes(chance.randrange(4))
        for record in records_of(make, [bytes(damaged)])[0]:
            assert parse(orjson.dumps(record)) == record  # and what it makes of it is a record by our own rules


def test_a_log_is_followed_while_it_grows_and_when_it_is_replaced(tmp_path: Path) -> None:
    log = tmp_path / "train.log"
    half = HF_STDOUT.index(b"{'loss': 2.25") + 20
    log.write_bytes(HF_STDOUT[:half])
    reader = open_foreign(log)
    assert steps(reader.read()) == [(1, 2.5)]
    assert reader.read() == []
    log.write_bytes(HF_STDOUT)
    assert steps(reader.read()) == [(2, 2.25), (3, 2.0)]
    log.write_bytes(b"{'loss': 9.0, 'epoch': 0.1}\n")
    again = reader.read()
    assert [record["event"] for record in again][:2] == ["run_start", "note"]
    assert again[0]["segment"] == 2
    assert steps(again) == [(1, 9.0)]
    log.unlink()
    assert reader.read() == []


def test_a_log_larger_than_a_chunk_comes_in_batches(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(growing, "CHUNK", 1000)
    log = tmp_path / "train.log"
    log.write_text("".join(f"{{'loss': {number}.5, 'epoch': 1}}\n" for number in range(6000)))
    reader, sizes = open_foreign(log), []
    while batch := reader.read():
        sizes.append(len(batch))
    assert max(sizes) < 2200
    assert sum(sizes) == 6002  # the start and the note that steps are counted, too
