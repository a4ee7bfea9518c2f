"""Stretch of a log: steps in a row among which nothing turns, as columns that health rules look through at once."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import islice
from operator import lt
from typing import Any

from vlmft_core.run_folder.events import CHECKPOINT, EVAL, HEARTBEAT, NOTE, PLAN, RUN_END, RUN_START, STEP, Record

FEWEST = 8
"""Records below which one by one is as quick."""
LONGEST = 200
"""Records of one stretch: where a rule wants to be asked, so many are looked at one by one."""
TURNS = frozenset({RUN_START, RUN_END, PLAN, CHECKPOINT, EVAL, NOTE})
"""Events that rules look at beside the steps and the clock."""


class Stretch:
    """`step` events in order, with heartbeats and other events of which only the time matters between them.

    Args:
        records: those.
        steps: the `step` events among them, at least one.
    """

    def __init__(self, records: Sequence[Record], steps: list[Record]) -> None:
        self._records = records
        self.records = steps
        """The `step` events."""
        self.steps: list[int] = [record["step"] for record in steps]
        self.epochs: list[float] = [record["epoch"] for record in steps]
        self.losses: list[float] = [record["loss"] for record in steps]
        self.rates: list[float] = [record["lr"] for record in steps]
        self.gradients: list[float] = [record["grad_norm"] for record in steps]

    def follows(self, step: int) -> bool:
        """Whether the steps only go forward from `step`, and each has all that a step must tell, as a number."""
        columns = (self.epochs, self.losses, self.rates, self.gradients)
        forward = self.steps[0] > step and all(map(lt, self.steps, islice(self.steps, 1, None)))
        return forward and not any(None in column for column in columns)

    def column(self, key: str) -> list[Any]:
        """Any field of the steps; None where one does not have it."""
        return _column(self.records, key)

    def names(self, key: str) -> bool:
        """Whether any of the steps has this field."""
        return True in [key in record for record in self.records]

    def clocks(self) -> list[float] | None:
        """The time of every record, those between the steps too, by one clock; None where there is none."""
        for key in ("mono", "t"):
            times = _column(self._records, key)
            kinds = set(map(type, times))
            if kinds == {float}:
                return times
            if kinds != {type(None)}:
                return None
        return None

    def of_steps(self, values: list[float]) -> list[float]:
        """Those of `values`, one a record, that belong to steps."""
        if len(values) == len(self.records):
            return values
        return [value for value, record in zip(values, self._records, strict=True) if record["event"] == STEP]

    @property
    def beats(self) -> bool:
        """Whether there is a heartbeat."""
        return len(self._records) > len(self.records) and any(one["event"] == HEARTBEAT for one in self._records)


def _column(records: Sequence[Record], key: str) -> list[Any]:
    try:
        return [record[key] for record in records]
    except KeyError:
        return [record.get(key) for record in records]


def stretches(records: Sequence[Record]) -> Iterator[tuple[int, int]]:
    """Where to cut: first and last + 1 of each piece, in order. An event that turns something stands alone."""
    start, turns = 0, [index for index, record in enumerate(records) if record["event"] in TURNS]
    for turn in [*turns, len(records)]:
        for first in range(start, turn, LONGEST):
            yield first, min(first + LONGEST, turn)
        if turn < len(records):
            yield turn, turn + 1
        start = turn + 1
