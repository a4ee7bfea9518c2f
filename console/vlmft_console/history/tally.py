"""Tally: what a whole log amounts to, counted piece by piece; a log of any length takes 24 bytes a logged step."""

from __future__ import annotations

import math
from array import array
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import compress, islice, repeat
from operator import eq, itemgetter, lt, ne
from typing import Final

from vlmft_console.history.doubts import NEWER
from vlmft_console.history.metrics import LONGEST_NAME, MOST, PACE, TOO_MANY, Measured, collect, is_number, some_have
from vlmft_console.history.pulse import resumed_from
from vlmft_console.history.schedule_fit import Schedule, recognise
from vlmft_core.learning_rate import RatePlan, plan_deviation, rate_plan
from vlmft_core.run_folder import events
from vlmft_core.run_folder.events import Record

_NOTES: Final = 10
_COMPARED: Final = 4000
"""Learning rates that are compared with a schedule."""


@dataclass
class Tally:
    """Counts and extremes of a log. The learning rates are kept, for the schedule."""

    everything: bool = False
    """Whether speed and memory in our own steps are counted, too: no rule judges by them, and they take a sixth of the
    time."""
    loss: Measured = field(default_factory=Measured)
    eval_loss: Measured = field(default_factory=Measured)
    _last_eval: tuple[int, float | None] | None = None
    lr: Measured = field(default_factory=Measured)
    grad_norm: Measured = field(default_factory=Measured)
    metrics: dict[str, Measured] = field(default_factory=dict)
    """Every other figure by name."""
    nonfinite: int = 0
    """Records with a value that was not finite."""
    best_eval: Record | None = None
    """The eval with the lowest loss; one at step 0, the base's, only where there is no other."""
    notes: list[str] = field(default_factory=list)
    """The first few notes, each once; before them that the log is of a newer version than this program understands."""
    end: Record | None = None
    """The latest `run_end`, unless the run was resumed after it."""
    odd_steps: list[Record] = field(default_factory=list)
    """Every `rows`: the data of steps with a loss or gradient out of the ordinary. Superseded ones are left out."""
    _steps: array[float] = field(default_factory=lambda: array("d"))
    _skipped: array[float] = field(default_factory=lambda: array("d"))
    """At each of the steps, how many before it were skipped, and moved no schedule."""
    _rates: array[float] = field(default_factory=lambda: array("d"))
    _plan: RatePlan | None = None

    def add(self, records: Sequence[Record]) -> None:
        """Take in the next records: many at once, for a log has hundreds of thousands."""
        kinds = list(map(itemgetter("event"), records))
        steps = list(compress(records, map(eq, kinds, repeat(events.STEP))))
        if steps:
            self._steps_taken(steps)
        version = max(map(itemgetter("v"), records), default=0)
        if version > events.VERSION and (newer := NEWER.format(version)) not in self.notes:
            self.notes.insert(0, newer)
        others = list(compress(records, map(ne, kinds, repeat(events.STEP))))
        for record in others:
            self._other(record)
        for name, points in collect(records if some_have(records, "metrics") else others).items():
            self._metric_taken(name, points.values)

    def _other(self, record: Record) -> None:
        event = record["event"]
        if event == events.EVAL:
            self._eval(record)
        elif event == events.RUN_END:
            self.end = record
        elif event == events.RUN_START:
            self.end = None
            self.odd_steps = [one for one in self.odd_steps if one["step"] <= resumed_from(record)]
        elif event == events.ROWS:
            self.odd_steps.append(record)
        elif event == events.PLAN:
            self._plan = rate_plan(record)
        elif event == events.NOTE and len(self.notes) < _NOTES and record["message"] not in self.notes:
            self.notes.append(record["message"])

    def schedule(self) -> Schedule:
        """The planned schedule, where the log tells its plan; else the one that the learning rates follow.

        That is told from points spread evenly over the log.
        """
        count = len(self._steps)
        if self._plan and count:
            off = plan_deviation(self._plan, zip(self._steps, self._rates, strict=True))
            return Schedule(self._plan.scheduler, self._plan.warmup_steps, off)
        chosen = {index * count // min(count, _COMPARED) for index in range(min(count, _COMPARED))}
        if count:
            chosen |= {count - 1, self._rates.index(max(self._rates))}
        return recognise([(self._steps[at] - self._skipped[at], self._rates[at]) for at in sorted(chosen)])

    def by_name(self) -> dict[str, Measured]:
        """Every figure that the log tells, by name, those that a run is judged by first."""
        main = {"loss": self.loss, "eval_loss": self.eval_loss, "lr": self.lr, "grad_norm": self.grad_norm}
        return {name: measured for name, measured in {**main, **self.metrics, **main}.items() if measured.points}

    def _metric_taken(self, name: str, values: Sequence[float | None]) -> None:
        if name not in self.metrics and (len(self.metrics) >= MOST or len(name) > LONGEST_NAME):
            if TOO_MANY not in self.notes:
                self.notes.append(TOO_MANY)
            return
        self.metrics.setdefault(name, Measured()).add(values)

    def _steps_taken(self, steps: list[Record]) -> None:
        self.nonfinite += sum(bool(_nonfinite(record)) for record in steps if "nonfinite" in record)
        for measured, key in ((self.loss, "loss"), (self.grad_norm, "grad_norm"), (self.lr, "lr")):
            values = list(map(itemgetter(key), steps))
            if None in values:  # not finite, or not logged
                values = [record[key] for record in steps if record[key] is not None or key in _nonfinite(record)]
            measured.add(values)
        for key in PACE if self.everything else ():
            if values := [value for record in steps if is_number(value := record.get(key))]:
                self.metrics.setdefault(key, Measured()).add(values)
        told = [record for record in steps if record["lr"] is not None]
        skipped = [count if type(count := record.get("skipped_steps")) is int else 0 for record in told]
        self._rates_taken(list(map(itemgetter("step"), told)), skipped, list(map(itemgetter("lr"), told)))

    def _rates_taken(self, steps: list[int], skipped: list[int], rates: list[float]) -> None:
        last = self._steps[-1] if self._steps else -math.inf
        if not steps or (steps[0] > last and all(map(lt, steps, islice(steps, 1, None)))):
            self._steps.extend(steps)
            self._skipped.extend(skipped)
            self._rates.extend(rates)
            return
        for step, count, rate in zip(steps, skipped, rates, strict=True):
            while self._steps and self._steps[-1] >= step:  # a resume takes the place of what was before
                self._steps.pop()
                self._skipped.pop()
                self._rates.pop()
            self._steps.append(step)
            self._skipped.append(count)
            self._rates.append(rate)

    def _eval(self, record: Record) -> None:
        loss, bad = record["eval_loss"], _nonfinite(record)
        self.nonfinite += bool(bad)
        if loss is None and "eval_loss" not in bad:
            return
        if self._last_eval == (last := (record["step"], loss)):
            return  # logged twice, it counts once
        self._last_eval = last
        self.eval_loss.add([loss])
        if loss is None:
            return
        best = self.best_eval
        if best is None or (not best["step"], best["eval_loss"]) > (not record["step"], loss):
            self.best_eval = record


def _nonfinite(record: Record) -> Sequence[str]:
    named = record.get("nonfinite")
    return named if isinstance(named, list) else ()
