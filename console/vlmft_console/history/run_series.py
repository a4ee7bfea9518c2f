"""Run series: what the steps and evals of a run measured, one series a quantity."""

from __future__ import annotations

import struct
from array import array
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields
from operator import le
from typing import Any

from vlmft_console.history.machine import is_machine_figure
from vlmft_console.history.metrics import LONGEST_NAME, MOST, PACE, Points, collect
from vlmft_console.history.series import Series, Smoothed
from vlmft_console.history.stored import ColumnFile
from vlmft_core.run_folder.batch import Batch
from vlmft_core.run_folder.events import EVAL, Record

_FIELDS = {
    "train_loss": "loss",
    "lr": "lr",
    "grad_norm": "grad_norm",
    "epochs": "epoch",
    **{key: key for key in PACE},
}
"""Which field of a `step` each series is made of. Each costs every log of ours 2 % of its loading: not all are here."""


@dataclass
class RunSeries:
    """One series a quantity, over optimizer steps. A field that a log does not have leaves its series empty."""

    train_loss: Series = field(init=False, default_factory=Series)
    smooth_loss: Smoothed = field(init=False)
    """The train loss, averaged; its weight may be set."""
    lr: Series = field(init=False, default_factory=Series)
    grad_norm: Series = field(init=False, default_factory=Series)
    samples_per_s: Series = field(init=False, default_factory=Series)
    tokens_per_s: Series = field(init=False, default_factory=Series)
    step_s: Series = field(init=False, default_factory=Series)
    """Seconds that a step took."""
    mem_gib: Series = field(init=False, default_factory=Series)
    """Peak memory of the GPU, GiB."""
    data_s: Series = field(init=False, default_factory=Series)
    """Seconds of a step spent waiting for data."""
    mfu: Series = field(init=False, default_factory=Series)
    """The share of the GPUs' peak that the step used, 0 to 1."""
    epochs: Series = field(init=False, default_factory=Series)
    """The epoch, with its fraction, at which each step ended."""
    eval_loss: Series = field(init=False, default_factory=Series)
    metrics: dict[str, Series] = field(init=False, default_factory=dict)
    """Every other figure that the log tells over steps, by name."""
    all_metrics: bool = field(init=False, default=True)
    """Whether all of those are kept, rather than the first of too many."""

    def __post_init__(self) -> None:
        self.smooth_loss = Smoothed(self.train_loss)

    @property
    def by_name(self) -> Mapping[str, Series]:
        """Every series that has points by the name that `vlmft plot -m` takes, main quantities first, machines last."""
        main = {key: getattr(self, name) for name, key in _FIELDS.items()} | {"eval_loss": self.eval_loss}
        others = dict(sorted(self.metrics.items(), key=lambda each: is_machine_figure(each[0])))
        return {name: series for name, series in {**main, **others, **main}.items() if series}

    def add(self, batch: Batch, others: Sequence[Record]) -> None:
        """Take in a stretch of a log whose steps never go back, nor behind those before.

        Args:
            batch: the records.
            others: its `eval` and `metrics` records.
        """
        self._add_steps(batch)
        for record in others:
            if record["event"] == EVAL and self.eval_loss.last != (record["step"], record.get("eval_loss")):
                add_point(self.eval_loss, record, "eval_loss")  # one that is logged twice counts once
        for name, points in collect(batch if batch.has("metrics") else others).items():
            self._add_metric(name, points)

    def add_figure(self, name: str, step: float, value: float) -> None:
        """Take in one figure that the log tells at a step, which is no lower than those before."""
        if (series := self._metric(name)) is not None:
            series.append(step, value)

    def prepare(self) -> None:
        """Do now what the first drawing would have to do: sum up stretches of points."""
        for series in self._main():
            series.prepare()

    def put_away(self, file: ColumnFile) -> None:
        """Keep what long series hold in a file rather than in memory.

        Raises:
            OSError: there is no room for it.
        """
        for series in (*self._main(), *self.metrics.values()):
            series.put_away(file)

    def rewind(self, step: int) -> None:
        """All points of later steps are superseded."""
        for series in (*self._main(), *self.metrics.values()):
            series.rewind(step)

    def _main(self) -> list[Series]:
        return [value for each in fields(RunSeries) if isinstance(value := getattr(self, each.name), Series)]

    def _add_steps(self, batch: Batch) -> None:
        steps = array("d", batch.column("step"))
        for name, key in _FIELDS.items():
            if not batch.has(key):
                continue
            series: Series = getattr(self, name)
            column = _finite(batch.column(key))
            if column is not None:
                series.extend(steps, column)
                if series is self.train_loss:
                    self.smooth_loss.extend(steps, column)
                continue
            for record in batch.steps:
                add_point(series, record, key)
                if series is self.train_loss:
                    add_point(self.smooth_loss, record, key)

    def _add_metric(self, name: str, points: Points) -> None:
        series, (steps, values) = self._metric(name), points
        if series is None:
            return
        last = series.last[0] if series.last else steps[0]
        finite = [value for value in values if value is not None]
        if len(finite) == len(values) and all(map(le, [last, *steps], steps)):
            series.extend(array("d", steps), array("d", finite))
            return
        for step, value in zip(steps, values, strict=True):
            series.append(step, value)

    def _metric(self, name: str) -> Series | None:
        """The series of a metric; None for one too many."""
        if name not in self.metrics:
            if len(self.metrics) >= MOST or len(name) > LONGEST_NAME:
                self.all_metrics = False
                return None
            self.metrics[name] = Series()
        return self.metrics[name]


def _finite(values: Sequence[Any]) -> array[float] | None:
    """The same, or None unless each is a finite number."""
    try:
        # one NaN or infinity makes the sum one; so may many huge numbers, which then take the long way
        if not abs(sum(values)) < 1e300:
            return None
        return array("d", struct.pack(f"{len(values)}d", *values))  # in half the time that `array` itself takes
    except (TypeError, OverflowError):
        return None


def add_point(series: Series, record: Record, key: str) -> None:
    """A null that `nonfinite` names is a gap; any other only says that the log does not know."""
    value: Any = record.get(key)
    nonfinite = record.get("nonfinite")
    if isinstance(value, int | float) or (isinstance(nonfinite, list) and value is None and key in nonfinite):
        series.append(record["step"], value)
