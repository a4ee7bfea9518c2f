"""Metrics: the figures of a log by name, those beside a run's main quantities too."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import repeat
from operator import contains
from typing import Any, Final, NamedTuple

from vlmft_core.run_folder.events import EVAL, STEP, Record

MOST: Final = 1000
"""Metrics that are kept of one log: those that come first."""
TOO_MANY: Final = f"this log has more than {MOST:,} metrics, or names that are too long: those are not kept"
LONGEST_NAME: Final = 200
STEP_FIELDS: Final = ("data_s", "supervised_tokens", "mfu", "skipped_steps")
"""Fields of a `step` that are no series of their own."""
_FIELDS: Final = {
    STEP: {key: key for key in STEP_FIELDS},
    EVAL: {"token_accuracy": "eval_token_accuracy", "samples": "eval_samples", "runtime_s": "eval_runtime_s"},
}
"""Such fields of each event, and what they are called among the metrics."""
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
        self.first = finite[0] if self.first is None else self.first
        self.last = finite[-1]
        self.lowest = min(finite) if self.lowest is None else min(self.lowest, min(finite))
        self.highest = max(finite) if self.highest is None else max(self.highest, max(finite))


def some_have(records: Sequence[Record], key: str) -> bool:
    """Whether a field is in any of the records: asked in one go, as most logs never have most fields."""
    return any(map(contains, records, repeat(key)))


def points_of(records: Iterable[Record], field: str) -> Points:
    """The numbers in one field of the records themselves."""
    found = [(record["step"], record[field]) for record in records if is_number(record.get(field))]
    return Points([step for step, _ in found], [value for _, value in found])


def collect(records: Iterable[Record]) -> Mapping[str, Points]:
    """The metrics of records of any event, each with its points in order: what stands in `metrics` under the names
    that a log gave them, and the fields of steps and evals that are no series of their own."""
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
    metrics = _mapping(record.get("metrics"))
    for name, value in metrics.items():
        if value is None or is_number(value):
            yield name, value
    fields = _FIELDS.get(record["event"], {})
    for key, name in fields.items():
        if name not in metrics and is_number(value := record.get(key)):
            yield name, value
    if record["event"] == EVAL:
        for task, scores in _mapping(record.get("tasks")).items():
            for key, value in _mapping(scores).items():
                if is_number(value):
                    yield f"{task}.{key}", value


def _mapping(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}
