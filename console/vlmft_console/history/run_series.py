"""Run series: what the steps and evals of a run measured, one series a quantity."""

from __future__ import annotations

from array import array
from collections.abc import Sequence
from dataclasses import dataclass, field, fields
from itertools import repeat
from operator import contains
from typing import Any

from vlmft_console.history.series import Series, Smoothed
from vlmft_core.run_folder.events import Record

_FIELDS = {
    "train_loss": "loss",
    "lr": "lr",
    "grad_norm": "grad_norm",
    "epochs": "epoch",
    "samples_per_s": "samples_per_s",
    "tokens_per_s": "tokens_per_s",
    "step_s": "step_s",
    "mem_gib": "mem_gib",
}
"""Which field of a `step` each series is made of."""


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
    epochs: Series = field(init=False, default_factory=Series)
    """The epoch, with its fraction, at which each step ended."""
    eval_loss: Series = field(init=False, default_factory=Series)

    def __post_init__(self) -> None:
        self.smooth_loss = Smoothed(self.train_loss)

    def add_steps(self, records: Sequence[Record]) -> None:
        """Take in `step` records whose steps never go back, not even behind the ones before."""
        steps = array("d", [record["step"] for record in records])
        for name, key in _FIELDS.items():
            series: Series = getattr(self, name)
            column = _column(records, key)
            if column is not None:
                series.extend(steps, column)
                if series is self.train_loss:
                    self.smooth_loss.extend(steps, column)
                continue
            if not some_have(records, key):
                continue
            for record in records:
                add_point(series, record, key)
                if series is self.train_loss:
                    add_point(self.smooth_loss, record, key)

    def add_eval(self, record: Record) -> None:
        """Take in an `eval` record."""
        add_point(self.eval_loss, record, "eval_loss")

    def prepare(self) -> None:
        """Do now what the first drawing would have to do: sum up stretches of points."""
        for each in fields(RunSeries):
            getattr(self, each.name).prepare()

    def rewind(self, step: int) -> None:
        """All points of later steps are superseded."""
        for each in fields(RunSeries):
            getattr(self, each.name).rewind(step)


def some_have(records: Sequence[Record], key: str) -> bool:
    """Whether a field is in any of the records: asked in one go, as most logs never have most fields."""
    return any(map(contains, records, repeat(key)))


def _column(records: Sequence[Record], key: str) -> array[float] | None:
    """The field of all records, or None unless each has a finite number there."""
    try:
        values = [record[key] for record in records]
        # one NaN or infinity makes the sum one; so may many huge numbers, which then take the long way
        return array("d", values) if abs(sum(values)) < 1e300 else None
    except (KeyError, TypeError, OverflowError):
        return None


def add_point(series: Series, record: Record, key: str) -> None:
    """A null that `nonfinite` names is a gap; any other only says that the log does not know."""
    value: Any = record.get(key)
    nonfinite = record.get("nonfinite")
    if isinstance(value, int | float) or (isinstance(nonfinite, list) and value is None and key in nonfinite):
        series.append(record["step"], value)
