"""Pulse: what of a run's events tells whether it lives."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from operator import le
from typing import Any, Final

from vlmft_core.run_folder import events
from vlmft_core.run_folder.batch import Batch
from vlmft_core.run_folder.events import Record

_WINDOW: Final = 200
"""Steps that the speed is taken from."""


@dataclass(frozen=True)
class Pulse:
    """Made by `after` from all records so far. Being frozen it may go from the thread that reads to any other."""

    segment: int = 0
    """Number of the latest segment; 0 before the first."""
    step: int = 0
    """Optimizer steps done."""
    last_step: Record | None = None
    """The latest `step` of this segment; None until its first one."""
    last_seen: float | None = None
    """Unix time of the latest event that has one."""
    heartbeat: Record | None = None
    """The latest `heartbeat`."""
    times: tuple[tuple[int, float], ...] = ()
    """The last steps of this segment, each with its monotonic time in seconds."""

    def after(self, records: Sequence[Record]) -> Pulse:
        """The pulse once these have come, too."""
        segment, step, last_step, heartbeat, times = self.segment, self.step, self.last_step, self.heartbeat, self.times
        batch, begin = Batch.of(records), 0
        for number, index in enumerate(batch.others):
            record, event = batch[index], batch.kinds[index]
            if event == events.RUN_START:
                before = batch.steps[begin : index - number][-1:]
                segment, step = record["segment"], min(before[0]["step"] if before else step, resumed_from(record))
                last_step, times, begin = None, (), index - number  # the pause between two segments is no step
            elif event == events.HEARTBEAT:
                heartbeat = record
        if steps := batch.column("step")[begin:]:
            last_step, step = batch.steps[-1], steps[-1]
            times = _with(times, steps[-_WINDOW:], batch.column("mono")[begin:][-_WINDOW:])
        seen = next((record["t"] for record in reversed(records) if record["t"] is not None), self.last_seen)
        return Pulse(segment, step, last_step, seen, heartbeat, times)

    @property
    def steps_per_second(self) -> float | None:
        """Over the last steps, evals and checkpoints between them included."""
        if len(self.times) < 2:
            return None
        (first, began), (last, ended) = self.times[0], self.times[-1]
        return (last - first) / (ended - began) if ended > began and last > first else None


def _with(
    times: tuple[tuple[int, float], ...], steps: Sequence[int], clock: Sequence[Any]
) -> tuple[tuple[int, float], ...]:
    if set(map(type, clock)) == {float} and all(map(le, clock, clock[1:])) and (not times or times[-1][1] <= clock[0]):
        return (*times, *zip(steps, clock, strict=True))[-_WINDOW:]
    found = list(times)
    for step, mono in zip(steps, clock, strict=True):
        if isinstance(mono, float):
            if found and mono < found[-1][1]:
                found.clear()  # another boot: this clock began anew
            found.append((step, mono))
    return tuple(found[-_WINDOW:])


def resumed_from(start: Record) -> int:
    """The step after which the segment of a `run_start` goes on; 0 for one that begins anew."""
    step = start.get("resumed_from")
    return step if isinstance(step, int) else 0
