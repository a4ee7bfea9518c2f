"""Stretch of a log: steps in a row among which nothing turns, as columns that health rules look through at once."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterator, Sequence
from itertools import islice
from operator import lt
from typing import Any

from vlmft_core.run_folder.batch import Batch
from vlmft_core.run_folder.events import CHECKPOINT, EVAL, HEARTBEAT, NOTE, PLAN, RUN_END, RUN_START, Record

FEWEST = 8
"""Records below which one by one is as quick."""
LONGEST = 400
"""Records of one stretch. …"""
PART = 40
"""… Where a rule wants to be asked, it is taken in parts of so many, and those that hold the reason one by one."""
TURNS = frozenset({RUN_START, RUN_END, PLAN, CHECKPOINT, EVAL, NOTE})
"""Events that rules look at beside the steps and the clock."""


class Stretch:
    """`step` events in order, with heartbeats and other events of which only the time matters between them.

    Args:
        batch: records, of which …
        start: … it begins with this one …
        stop: … and ends before this one.
    """

    def __init__(self, batch: Batch, start: int, stop: int) -> None:
        first, end = bisect_left(batch.others, start), bisect_left(batch.others, stop)
        self._batch, self._records, self._others = batch, slice(start, stop), batch.others[first:end]
        self._steps = slice(start - first, stop - end)
        self.steps: Sequence[int] = self.column("step")
        self.epochs: Sequence[float] = self.column("epoch")
        self.losses: Sequence[float] = self.column("loss")
        self.rates: Sequence[float] = self.column("lr")
        self.gradients: Sequence[float] = self.column("grad_norm")

    def records(self, most: int) -> list[Record]:
        """Its first `step` events."""
        return self._batch.steps[self._steps][:most]

    def follows(self, step: int) -> bool:
        """Whether it has steps, which only go forward from `step`, and each has all that a step must tell, as a
        number."""
        if not self.steps or self.steps[0] <= step:
            return False
        if not self._batch.rises and not all(map(lt, self.steps, islice(self.steps, 1, None))):
            return False
        columns = (self.epochs, self.losses, self.rates, self.gradients)
        return self._batch.plain or not any(None in column for column in columns)

    def column(self, key: str) -> Sequence[Any]:
        """Any field of the steps; None where one does not have it."""
        return self._batch.column(key)[self._steps]

    def names(self, key: str) -> bool:
        """Whether any of the steps has this field."""
        return self._batch.has(key) and any(key in record for record in self._batch.steps[self._steps])

    def clocks(self) -> tuple[list[float], Sequence[float]] | None:
        """The time of every record, those between the steps too, and of every step, by one clock; None where there is
        none."""
        for key in ("mono", "t"):
            of_steps = self.column(key)
            times = list(of_steps)
            for index in self._others:
                times.insert(index - self._records.start, self._batch[index].get(key))
            kinds = set(map(type, times))
            if kinds == {float}:
                return times, of_steps
            if kinds != {type(None)}:
                return None
        return None

    @property
    def beats(self) -> bool:
        """Whether there is a heartbeat."""
        return any(self._batch.kinds[index] == HEARTBEAT for index in self._others)


def stretches(batch: Batch) -> Iterator[tuple[int, int]]:
    """Where to cut: first and last + 1 of each piece, in order. An event that turns something stands alone."""
    start, turns = 0, [index for index in batch.others if batch.kinds[index] in TURNS]
    for turn in [*turns, len(batch)]:
        for first in range(start, turn, LONGEST):
            yield first, min(first + LONGEST, turn)
        if turn < len(batch):
            yield turn, turn + 1
        start = turn + 1


def parts(start: int, stop: int) -> Iterator[tuple[int, int]]:
    """The parts of a stretch, in order."""
    for first in range(start, stop, PART):
        yield first, min(first + PART, stop)
