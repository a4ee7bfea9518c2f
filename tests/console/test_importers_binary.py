"""Event files and wandb's files: what was met before is read without parsing it again, and reads the same."""

from __future__ import annotations

import random
import struct
from typing import Any

import pytest

from tests.console.foreign_logs import field, history, scalar, summary, tensorboard, wandb, wandb_values
from vlmft_console.history.importers.entries.translate import Translator
from vlmft_console.history.importers.stores.crc32c import masked
from vlmft_console.history.importers.stores.history_items import HistoryItems
from vlmft_console.history.importers.stores.scalar_events import ScalarEvents
from vlmft_console.history.importers.stores.tensorboard import EventFile
from vlmft_console.history.importers.stores.wandb import WandbFile


def damaged(message: bytes, chance: random.Random) -> bytes:
    """With one to three bytes changed, none of them added or lost."""
    copy = bytearray(message)
    for _ in range(chance.randrange(1, 4)):
        copy[chance.randrange(len(copy))] = chance.choice(
            (0, 1, 9, 10, 16, 18, 42, 127, 128, 255, chance.randrange(256))
        )
    return bytes(copy)


def read(events: ScalarEvents | HistoryItems, message: bytes) -> Any:
    """What is read, as text: NaN equals NaN then; or that it is refused."""
    try:
        return repr(events.read(message))
    except (ValueError, struct.error):
        return "refused"


def test_the_checksum_is_the_one_that_tensorboard_writes() -> None:
    assert masked(b"\x18" + bytes(7)).to_bytes(4, "little") == b"\xa3\x7f\x4b\x22"  # the first header of every file


@pytest.mark.parametrize("tensor", [False, True])
def test_an_event_reads_the_same_whether_or_not_its_kind_was_met_before(tensor: bool) -> None:
    chance = random.Random(5)
    messages = [
        scalar(chance.choice(("train/loss", "train/lrs", "eval/loss", "x" * 200)), chance.random(), step, tensor=tensor)
        for step in (0, 1, 127, 128, 129, 16383, 16384, 5, 2**40, 2**62)
        for _ in range(8)
    ]
    experienced = ScalarEvents()
    for message in [*messages, *messages]:
        time, step, scalars = ScalarEvents().read(message)
        assert len(scalars) == 1
        assert experienced.read(message) == (time, step, scalars)
    for _ in range(5_000):
        message = damaged(chance.choice(messages), chance)
        assert read(experienced, message) == read(ScalarEvents(), message)


def item(name: list[str], value: bytes, *, old: bool = False) -> bytes:
    """An item of a history record, its name in parts."""
    key = b"".join(field(1 if old else 2, part.encode()) for part in name)
    return field(1, key + field(16, value))


def test_a_history_reads_the_same_whether_or_not_its_names_were_met_before() -> None:
    chance = random.Random(5)
    names = (["train/loss"], ["loss"], ["a", "b"], ["x" * 130], ["x" * 119], [""], ["é\n"], [])
    values = (
        b"1.5",
        b"-3e-05",
        b"7",
        b"NaN",
        b'"NaN"',
        b"null",
        b"",
        b'{"_type": "histogram"}',
        b"[" * 500,
        b"1" * 130,
    )
    messages = [
        b"".join(item(chance.choice(names), chance.choice(values), old=chance.random() < 0.2) for _ in range(8))
        for _ in range(60)
    ]
    usual = item(["loss"], b"1.5")
    messages += [usual + usual[:length] for length in range(len(usual))]  # cut off
    messages.append(b"\n\x94\x12" + usual[3:10] + b"\x8b" + b"5" * 2439)  # a long length, of which a part fits, too
    experienced = HistoryItems()
    for message in [*messages, *messages]:
        assert read(experienced, message) == read(HistoryItems(), message)
    for _ in range(5_000):
        message = damaged(chance.choice(messages), chance)
        assert read(experienced, message) == read(HistoryItems(), message)
    assert HistoryItems().read(item(["a", "b"], b"1.5") + item(["c"], b"NaN") + item(["d"], b'"x"', old=True)) == {
        "a/b": 1.5,
        "c": "NaN",
        "d": "x",
    }


def test_an_entry_of_wandb_is_read_alike_in_whatever_order_its_names_were_written() -> None:
    first, second = item(["eval/a/loss"], b"1.5"), item(["eval/b/loss"], b"2.5")
    assert list(HistoryItems().read(second + first)) == list(HistoryItems().read(first + second))


def test_a_summary_before_every_history_record_counts_for_nothing() -> None:
    values = [wandb_values(step, 3.0 - step) for step in range(3)]
    alone = wandb(*(history(**each) for each in values))
    beside = wandb(*(record for each in values for record in (summary(**each), history(**each))))
    assert WandbFile(Translator("run")).feed(beside) == WandbFile(Translator("run")).feed(alone)


@pytest.mark.parametrize("hurt", range(12))
def test_steps_that_are_alike_are_read_together_as_one_by_one(hurt: int) -> None:
    chance = random.Random(hurt)
    tags = ["train/loss", "train/grad_norm", "train/learning_rate", "train/epoch"]
    messages = []
    for step in range(90, 330):  # from 128 on a step takes two bytes
        messages += [scalar(f"{tag}", chance.random(), step) for tag in (*tags[:3], tags[3])]
        if step % 60 == 0:
            messages += [scalar("eval/loss", chance.random(), step), scalar("train/epoch", 1.0, step)]
    if hurt > 2:
        messages[chance.randrange(len(messages))] = scalar("train/other", 1.0, 200)
    data = bytearray(tensorboard(*messages))
    if hurt > 5:
        data[chance.randrange(1000, len(data))] ^= 1
    one, together = EventFile(Translator("run")), EventFile(Translator("run"))
    records = [record for at in range(len(data)) for record in one.feed(data[at : at + 1])] + one.rest()
    assert together.feed(bytes(data)) + together.rest() == records
    assert (together.rejected, together.entries) == (one.rejected, one.entries)
