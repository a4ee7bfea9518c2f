"""Event files and wandb's files: what was met before is read without parsing it again, and reads the same."""

from __future__ import annotations

import random
import struct
from typing import Any

import pytest

from tests.console.foreign_logs import scalar
from vlmft_console.history.importers.crc32c import masked
from vlmft_console.history.importers.scalar_events import ScalarEvents


def damaged(message: bytes, chance: random.Random) -> bytes:
    """With one to three bytes changed, none of them added or lost."""
    copy = bytearray(message)
    for _ in range(chance.randrange(1, 4)):
        copy[chance.randrange(len(copy))] = chance.choice(
            (0, 1, 9, 10, 16, 18, 42, 127, 128, 255, chance.randrange(256))
        )
    return bytes(copy)


def read(events: ScalarEvents, message: bytes) -> Any:
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
    for _ in range(20_000):
        message = damaged(chance.choice(messages), chance)
        assert read(experienced, message) == read(ScalarEvents(), message)
