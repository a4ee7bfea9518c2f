"""Schedule fit: which learning rate schedule a run followed, told from the rates it logged."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from vlmft_console.history.schedule_falls import LEVEL, Course, deviation, fall, line, restarts

FEWEST: Final = 5
"""Points below which no schedule is told."""
_FITTED: Final = 200
"""Points that the curves are fitted to, spread evenly."""
_AROUND: Final = 10
"""Points before the highest one, and from it on, that are among them."""
_UNLIKE: Final = 0.02
"""Deviation, as a share of the peak, above which a curve is not the one."""

_ON_IT: Final = 1e-3
"""Distance from the line of the warm-up, as a share of the peak, of a point that is on it."""


@dataclass(frozen=True)
class Schedule:
    """A schedule as `recognise` tells it, or as the run's plan has it."""

    kind: str
    """`constant`, `linear`, `cosine`, `cosine-restarts`, `inverse-sqrt`, `polynomial`, `wsd` (a plateau, then a fall),
    `warmup-only` (the run ended or stands before the peak), or `unknown`."""
    warmup_steps: int | None
    """Updates until the peak; 0 where the first rate logged is the highest; None where unknown."""
    max_deviation: float | None
    """Largest distance of a rate from the schedule, as a share of the peak; None where unknown."""


UNKNOWN: Final = Schedule("unknown", None, None)


def recognise(points: Iterable[tuple[float, float]]) -> Schedule:
    """The schedule that fits best.

    Nothing needs to be known of the plan: warm-up, peak and end are fitted. Warm-up is a straight line up to the peak,
    counted from where it is 0: some trainers log the rate of the next update, some that of the last one.

    Args:
        points: step and learning rate, which is finite; of a step logged twice, after a resume, the later counts.
    """
    ordered = sorted(dict(points).items())
    peak = max((rate for _, rate in ordered), default=0.0)
    if len(ordered) < FEWEST or peak <= 0:
        return UNKNOWN
    thinned = _thinned(ordered)
    first = _first_top(thinned, peak)
    behind = restarts(thinned[first:], peak)
    top = first if behind else max(range(len(thinned)), key=lambda index: thinned[index][1])
    climb, zero = _climb(thinned[:top])
    if zero is not None and not behind and abs(climb(thinned[top][0]) - thinned[top][1]) <= _ON_IT * peak:
        top += 1  # the highest rate that was logged may be the last one of the warm-up
    falling, rising = thinned[top:], thinned[:top]
    if len(falling) < 3:
        return Schedule("warmup-only", None, deviation(ordered, climb, peak)) if len(rising) >= FEWEST else UNKNOWN
    behind = behind or fall(falling, peak)
    if not rising:
        end: float | None = 0.0
    elif zero is None:  # nothing between 0 and the peak was logged
        end = behind.begin if behind.begin is not None and rising[-1][0] < behind.begin <= falling[0][0] else None
    else:
        end = _crossing(climb, behind.course, rising[-1][0], falling[1][0])
    met = falling[0][0] if end is None else end
    warming = [(step, rate) for step, rate in ordered if step < met and (rate > 0 or zero is not None)]
    off = max(deviation(warming, climb, peak), behind.deviation_of([each for each in ordered if each[0] >= met], peak))
    if off > _UNLIKE and behind.deviation > _UNLIKE:
        return UNKNOWN
    began = zero or 0.0
    warmup = None if end is None else max(0, round(end - began))
    return Schedule(behind.kind, warmup, off)


def _thinned(points: list[tuple[float, float]]) -> list[tuple[float, float]]:
    """About `_FITTED` of the points, spread evenly, the last, and those around the highest: a warm-up is short."""
    if len(points) <= _FITTED:
        return points
    top = max(range(len(points)), key=lambda index: points[index][1])
    chosen = {index * len(points) // _FITTED for index in range(_FITTED)}
    chosen |= {len(points) - 1, *range(max(0, top - _AROUND), min(len(points), top + _AROUND))}
    return [points[index] for index in sorted(chosen)]


def _first_top(points: list[tuple[float, float]], peak: float) -> int:
    """The last point before the rate falls for the first time."""
    for index, (_, rate) in enumerate(points[1:]):
        if points[index][1] - rate > LEVEL * peak:
            return index
    return len(points) - 1


def _climb(rising: list[tuple[float, float]]) -> tuple[Course, float | None]:
    """The line through the rising points above 0, and the step at which a warm-up from 0 begins.

    That is 0 or 1, or a later one where the rates before it are 0, as of steps that were skipped.
    None where there is no rate above 0. A single one has the line from the zero before it, logged or at step 0.
    """
    above = [point for point in rising if point[1] > 0]
    zeros = [point for point in rising if point[1] <= 0]
    if not above:
        return lambda _: 0.0, None
    start = zeros[-1] if zeros else (0.0, 0.0)
    if len(above) > 1:
        climb = line(above)
    else:
        climb = line([start, above[0]]) if above[0][0] > start[0] else lambda _: above[0][1]
    slope = climb(1.0) - climb(0.0)
    zero = -climb(0.0) / slope if slope > 0 else 0.0
    return lambda step: max(0.0, climb(step)), max(0.0, zero) if zeros else float(0.5 <= zero <= 1.5)


def _crossing(climb: Course, course: Course, low: float, high: float) -> float:
    """Where the warm-up meets what follows, between two steps. Bisection."""
    if climb(high) <= course(high):
        return high
    for _ in range(40):
        middle = (low + high) / 2
        if climb(middle) < course(middle):
            low = middle
        else:
            high = middle
    return high
