"""Metrics: the figures of a log by name, those beside a run's main quantities too."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import repeat
from operator import contains
from typing import Any, Final, NamedTuple

from vlmft_core.run_folder.events import EVAL, Record

MOST: Final = 1000
"""Metrics that are kept of one log: those that come first."""
TOO_MANY: Final = f"this log has more than {MOST:,} metrics, or names that are too long: those are not kept"
LONGEST_NAME: Final = 200
PACE: Final = ("samples_per_s", "tokens_per_s", "step_s", "mem_gib", "data_s", "mfu")
"""Fields of a `step` that tell speed and memory."""
_EVAL_FIGURES: Final = {
    "token_accuracy": "eval_token_accuracy",
    "samples": "eval_samples",
    "runtime_s": "eval_runtime_s",
}
"""Fields of our own `eval` beside the loss, and what they are called here. Other programs' have them in `metrics`."""
_LARGEST: Final = 1e300


class Points(NamedTuple):
    """What some records in a row tell of one metric."""

    steps: list[float]
    values: list[float | None]
    """None where the value was not finite."""


@dataclass
class Measured:
    """The points of one quantity."""

    points: int = 0
    """How often it was logged, values that were not finite included."""
    first: float | None = None
    """The first finite value."""
    last: float | None = None
    """The last finite value."""
    lowest: float | None = None
    highest: float | None = None

    @classmethod
    def of(cls, points: Iterable[tuple[float, float | None]]) -> Measured:
        """What the points of a series come to."""
        measured = cls()
        measured.add([value for _, value in points])
        return measured

    def add(self, values: Sequence[float | None]) -> None:
        """Take in points; None for one that was not finite."""
        self.points += len(values)
        finite = [value for value in values if value is not None]
        if not finite:
            return
        lowest, highest = min(finite), max(finite)
        self.first = finite[0] if self.first is None else self.first
        self.last = finite[-1]
        self.lowest = lowest if self.lowest is None else min(self.lowest, lowest)
        self.highest = highest if self.highest is None else max(self.highest, highest)


def some_have(records: Sequence[Record], key: str) -> bool:
    """Whether a field is in any of the records: asked in one go, as most logs never have most fields."""
    return any(map(contains, records, repeat(key)))


def collect(records: Iterable[Record]) -> Mapping[str, Points]:
    """The metrics of records of any event, each with its points in order: what stands in `metrics` under the names
    that a log gave them, and the other figures of evals: `eval_token_accuracy`, `chartqa.relaxed_accuracy`."""
    found: dict[str, Points] = {}
    for record in records:
        step = record.get("step", 0)
        for name, value in _figures(record):
            points = found.get(name)
            if points is None:
                points = found[name] = Points([], [])
            points.steps.append(step)
            points.values.append(value)
    return found


def is_number(value: Any) -> bool:
    """Whether this is a finite number."""
    return isinstance(value, int | float) and -_LARGEST < value < _LARGEST


def _figures(record: Record) -> Iterator[tuple[str, float | None]]:
    metrics = record.get("metrics")
    for name, value in _mapping(metrics).items():
        if value is None or is_number(value):
            yield name, value
    if record["event"] != EVAL:
        return
    for key, name in _EVAL_FIGURES.items() if metrics is None else ():
        if is_number(value := record.get(key)):
            yield name, value
    for task, scores in _mapping(record.get("tasks")).items():
        for key, value in _mapping(scores).items():
            if is_number(value):
                yield f"{task}.{key}", value


def _mapping(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}
