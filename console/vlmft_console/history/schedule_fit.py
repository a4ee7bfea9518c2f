"""Schedule fit: which learning rate schedule a run followed, told from the rates it logged."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Final

FEWEST: Final = 5
"""Points below which no schedule is told."""
_FITTED: Final = 200
"""Points that the curves are fitted to, spread evenly."""
_UNLIKE: Final = 0.02
"""Deviation, as a share of the peak, above which a curve is not the one."""
_LEVEL: Final = 1e-6
"""Change, as a share of the peak, that is none."""
_EXACT: Final = 1e-12
"""Deviation that the arithmetic alone explains."""
_SIMPLER: Final = 1.5
"""A straight line is believed until the cosine fits this much better: rounded rates fit both."""

Course = Callable[[float], float]


@dataclass(frozen=True)
class Schedule:
    """A schedule as `recognise` tells it."""

    kind: str
    """`constant`, `linear`, `cosine`, `warmup-only` (the run ended or stands before the peak), or `unknown`."""
    warmup_steps: int | None
    """Steps until the peak; 0 where the first rate logged is the highest; None where unknown."""
    max_deviation: float | None
    """Largest distance of a rate from the schedule, as a share of the peak; None where unknown."""


UNKNOWN: Final = Schedule("unknown", None, None)


def recognise(points: Iterable[tuple[float, float]]) -> Schedule:
    """The schedule that fits best.

    Nothing needs to be known of the plan: warm-up, peak and end are fitted. Warm-up is a straight line up to the peak;
    behind it the rate is level, or falls in a straight line, or as half a cosine to a floor of 0 or above.

    Args:
        points: step and learning rate, which is finite; of a step logged twice, after a resume, the later counts.
    """
    ordered = sorted(dict(points).items())
    peak = max((rate for _, rate in ordered), default=0.0)
    if len(ordered) < FEWEST or peak <= 0:
        return UNKNOWN
    thinned = _thinned(ordered)
    top = max(range(len(thinned)), key=lambda index: thinned[index][1])
    falling = thinned[top:]
    rising = thinned[:top]
    climb = _climb(rising, falling[0])
    if len(falling) < 3:
        return Schedule("warmup-only", None, _deviation(ordered, climb, peak)) if len(rising) >= FEWEST else UNKNOWN
    kind, fall = _fall(falling, peak)
    warmup = _crossing(climb, fall, rising[-1][0], falling[1][0]) if rising else 0.0
    deviation = _deviation(ordered, lambda step: climb(step) if step < warmup else fall(step), peak)
    if deviation > _UNLIKE and _deviation(falling, fall, peak) > _UNLIKE:
        return UNKNOWN
    return Schedule(kind, round(warmup), deviation)


def _thinned(points: list[tuple[float, float]]) -> list[tuple[float, float]]:
    """About `_FITTED` of the points, spread evenly, the highest and the last among them."""
    if len(points) <= _FITTED:
        return points
    chosen = {index * len(points) // _FITTED for index in range(_FITTED)}
    chosen |= {len(points) - 1, max(range(len(points)), key=lambda index: points[index][1])}
    return [points[index] for index in sorted(chosen)]


def _climb(rising: list[tuple[float, float]], top: tuple[float, float]) -> Course:
    """The line through the rising points; from zero where there is one alone, and none where there is none."""
    if not rising:
        return lambda _: top[1]
    return _line(rising if len(rising) > 1 else [(0.0, 0.0), rising[0]] if rising[0][0] > 0 else [rising[0], top])


def _fall(points: list[tuple[float, float]], peak: float) -> tuple[str, Course]:
    if peak - min(rate for _, rate in points) <= _LEVEL * peak:
        return "constant", lambda _: peak
    line = _line(points)
    straight = _deviation(points, line, peak)
    if straight < _EXACT:
        return "linear", line
    cosine = _cosine(points, peak)
    return ("linear", line) if straight <= _SIMPLER * _deviation(points, cosine, peak) else ("cosine", cosine)


def _line(points: Sequence[tuple[float, float]], weights: Sequence[float] | None = None) -> Course:
    """The straight line of least squares."""
    weights = weights or [1.0] * len(points)
    total = math.fsum(weights) or 1.0
    mean_x = math.fsum(w * x for w, (x, _) in zip(weights, points, strict=True)) / total
    mean_y = math.fsum(w * y for w, (_, y) in zip(weights, points, strict=True)) / total
    spread = math.fsum(w * (x - mean_x) ** 2 for w, (x, _) in zip(weights, points, strict=True))
    shared = math.fsum(w * (x - mean_x) * (y - mean_y) for w, (x, y) in zip(weights, points, strict=True))
    slope = shared / spread if spread > 0 else 0.0
    return lambda x: mean_y + slope * (x - mean_x)


def _cosine(points: list[tuple[float, float]], peak: float) -> Course:
    """The half cosine that comes closest: the best of a few floors, then the best peak for it."""
    lowest = min(rate for _, rate in points)

    def deviation(floor: float, top: float) -> float:
        return _deviation(points, _half_cosine(points, top, floor), peak)

    floors = {0.0, lowest, *(share * peak for share in (0.01, 0.05, 0.1, 0.2, 0.5) if share * peak < lowest)}
    floor = min(sorted(floors), key=lambda floor: min(deviation(floor, peak), deviation(floor, 1.01 * peak)))
    # The peak itself may stand between two points of the log: golden section search up to a fifth above the highest.
    low, high, share = peak, 1.2 * peak, (math.sqrt(5) - 1) / 2
    seen = {top: deviation(floor, top) for top in (low, 1.001 * peak)}
    if seen[low] <= seen[1.001 * peak]:
        high = 1.001 * peak
    for _ in range(24):
        left, right = high - share * (high - low), low + share * (high - low)
        for top in (left, right):
            if top not in seen:
                seen[top] = deviation(floor, top)
        low, high = (low, right) if seen[left] < seen[right] else (left, high)
    return _half_cosine(points, min(seen, key=lambda top: seen[top]), floor)


def _half_cosine(points: list[tuple[float, float]], peak: float, floor: float) -> Course:
    """floor + (peak - floor) * (1 + cos(pi * phase)) / 2, its phase a line over the steps, fitted to these points."""
    height = peak - floor
    if height <= 0:
        return lambda _: peak
    phases = [
        (step, math.acos(max(-1.0, min(1.0, 2 * (rate - floor) / height - 1))) / math.pi) for step, rate in points
    ]
    # Near the ends of a half cosine the rate says little about the phase: weigh by how fast one changes with the other.
    phase = _line(phases, [math.sin(math.pi * value) ** 2 + 1e-9 for _, value in phases])
    return lambda step: floor + height * (1 + math.cos(math.pi * max(0.0, min(1.0, phase(step))))) / 2


def _crossing(climb: Course, fall: Course, low: float, high: float) -> float:
    """Where the warm-up meets what follows, between two steps. Bisection."""
    if climb(high) <= fall(high):
        return high
    for _ in range(40):
        middle = (low + high) / 2
        if climb(middle) < fall(middle):
            low = middle
        else:
            high = middle
    return high


def _deviation(points: Sequence[tuple[float, float]], curve: Course, peak: float) -> float:
    return max(abs(rate - curve(step)) for step, rate in points) / peak
