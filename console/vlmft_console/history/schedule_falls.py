"""Falls: what a learning rate does behind its peak, as curves fitted to the rates that were logged.

Each curve is made a straight line by what undoes its bend, and the line is the one of least squares. The formulas are
those of transformers.optimization.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Final

Points = Sequence[tuple[float, float]]
"""Step and rate, in order."""
Course = Callable[[float], float]

LEVEL: Final = 1e-6
"""Change, as a share of the peak, that is none."""
_EXACT: Final = 1e-12
"""Deviation that the arithmetic alone explains."""
_SIMPLER: Final = 1.5
"""A straight line is believed until the cosine fits this much better: rounded rates fit both."""
_ALIKE: Final = 2e-3
"""Deviation of a rarer kind, as a share of the peak, up to which it is believed."""
_PLATEAU: Final = 0.1
"""Share of the points at the peak from which a fall is one after a plateau."""
_FEWEST: Final = 4
"""Points of a plateau, of what falls behind it, and of a cycle."""
_POWERS: Final = (0.5, 1.5, 2.0, 3.0, 4.0)
_MOMENT: Final = 1e-2
"""Steps."""
_JUMP: Final = 0.3
"""Rise, as a share of the peak, that begins another cycle."""


@dataclass(frozen=True)
class Fall:
    """A course behind the peak."""

    kind: str
    course: Course
    deviation: float
    """Largest distance of a point from it, as a share of the peak."""
    begin: float | None = None
    """The step at which it is at its peak; None where it does not tell."""
    slack: float = 0.0
    """Steps by which a point may be early or late: at a jump either end may be meant."""

    def deviation_of(self, points: Points, peak: float) -> float:
        """Largest distance of any points from it, as a share of the peak."""
        if not self.slack:
            return deviation(points, self.course, peak)
        shifts = (-self.slack, self.slack)
        return max(min(abs(rate - self.course(step + shift)) for shift in shifts) for step, rate in points) / peak


def fall(points: Points, peak: float) -> Fall:
    """The curve that fits best: the common kinds first, a rarer one where those do not fit and it does.

    Args:
        points: at least 3, from the highest one on.
        peak: the highest rate.
    """
    if peak - min(rate for _, rate in points) <= LEVEL * peak:
        return Fall("constant", lambda _: peak, 0.0)
    straight = _fitted("linear", line(points), points, peak)
    if straight.deviation < _EXACT:
        return straight
    curved = _cosine(points, peak)
    if _held(points, peak):
        curved = replace(curved, kind="wsd")
    common = straight if straight.deviation <= _SIMPLER * curved.deviation else curved
    if common.deviation <= _ALIKE:
        return common
    rare = min(_rare(points, peak), key=lambda each: each.deviation, default=common)
    return rare if rare.deviation <= _ALIKE else common


def restarts(points: Points, peak: float) -> Fall | None:
    """A half cosine to 0 again and again, each cycle as long as the one before; None where it is none."""
    cycles = [0]
    for (_, before), (_, rate) in pairwise(points):
        cycles.append(cycles[-1] + (rate - before > _JUMP * peak))
    if not cycles[-1] or len(points) < _FEWEST * (cycles[-1] + 1):
        return None

    def fitted(top: float) -> Fall:
        phases = [(step, cycle + _phase(rate, top, 0.0)) for cycle, (step, rate) in zip(cycles, points, strict=True)]
        phase = line(phases, [math.sin(math.pi * value) ** 2 + 1e-9 for _, value in phases])

        def course(step: float) -> float:
            return top * (1 + math.cos(math.pi * (max(0.0, phase(step)) % 1))) / 2

        found = Fall("cosine-restarts", course, 0.0, slack=_MOMENT)
        return replace(found, deviation=found.deviation_of(points, peak))

    found = _best_top(fitted, peak)
    return found if found.deviation <= _ALIKE else None


def line(points: Points, weights: Sequence[float] | None = None) -> Course:
    """The straight line of least squares."""
    weights = weights or [1.0] * len(points)
    total = math.fsum(weights) or 1.0
    mean_x = math.fsum(w * x for w, (x, _) in zip(weights, points, strict=True)) / total
    mean_y = math.fsum(w * y for w, (_, y) in zip(weights, points, strict=True)) / total
    spread = math.fsum(w * (x - mean_x) ** 2 for w, (x, _) in zip(weights, points, strict=True))
    shared = math.fsum(w * (x - mean_x) * (y - mean_y) for w, (x, y) in zip(weights, points, strict=True))
    slope = shared / spread if spread > 0 else 0.0
    return lambda x: mean_y + slope * (x - mean_x)


def deviation(points: Points, course: Course, peak: float) -> float:
    """Largest distance of a point from a course, as a share of the peak."""
    return max((abs(rate - course(step)) for step, rate in points), default=0.0) / peak


def _fitted(kind: str, course: Course, points: Points, peak: float, begin: float | None = None) -> Fall:
    return Fall(kind, course, deviation(points, course, peak), begin)


def _rare(points: Points, peak: float) -> Iterator[Fall]:
    lowest = min(rate for _, rate in points)
    if lowest > 0:
        inverse = line([(step, rate**-2) for step, rate in points], [rate**4 for _, rate in points])
        yield _fitted("inverse-sqrt", lambda step: max(1e-300, inverse(step)) ** -0.5, points, peak)
    for floor in {0.0, 1e-7, lowest}:  # 1e-7 is where transformers' polynomial ends
        for power in _POWERS:
            if floor <= lowest:
                yield _fitted("polynomial", _power(points, floor, power), points, peak)
    if held := _held(points, peak):
        yield from (_fitted("wsd", tail, points, peak) for tail in _tails(points[held - 1 :], peak, lowest))


def _held(points: Points, peak: float) -> int:
    """Points of a plateau at the peak; 0 where there is none, or little behind it."""
    held = next((index for index, (_, rate) in enumerate(points) if peak - rate > LEVEL * peak), 0)
    return held if held >= max(_FEWEST, _PLATEAU * len(points)) and len(points) - held >= _FEWEST else 0


def _power(points: Points, floor: float, power: float) -> Course:
    """floor + (a straight line)^power."""
    root = line([(step, max(0.0, rate - floor) ** (1 / power)) for step, rate in points])
    return lambda step: floor + max(0.0, root(step)) ** power


def _tails(points: Points, peak: float, lowest: float) -> Iterator[Course]:
    """Straight, and one minus a root, each from the peak to a floor that it may have reached."""
    below = [point for point in points if lowest < point[1] < peak]
    if len(below) < _FEWEST - 1:
        return
    height = peak - lowest
    straight = line(below)
    yield lambda step: max(lowest, min(peak, straight(step)))
    square = line([(step, ((peak - rate) / height) ** 2) for step, rate in below])
    yield lambda step: peak - height * math.sqrt(max(0.0, min(1.0, square(step))))


def _cosine(points: Points, peak: float) -> Fall:
    """The half cosine that comes closest: the best of a few floors, then the best peak for it."""
    lowest = min(rate for _, rate in points)

    def fitted(floor: float, top: float) -> Fall:
        half = _half_cosine(points, top, floor)
        return _fitted("cosine", half.course, points, peak, half.begin)

    floors = {0.0, lowest, *(share * peak for share in (0.01, 0.05, 0.1, 0.2, 0.5) if share * peak < lowest)}
    floor = min(sorted(floors), key=lambda each: min(fitted(each, peak).deviation, fitted(each, 1.01 * peak).deviation))
    return _best_top(lambda top: fitted(floor, top), peak)


def _best_top(fitted: Callable[[float], Fall], peak: float) -> Fall:
    """The best of a curve's peaks, which may stand between two points of the log, up to a fifth above the highest.

    Golden section search.
    """
    low, high, share = peak, 1.2 * peak, (math.sqrt(5) - 1) / 2
    seen = {top: fitted(top) for top in (low, 1.001 * peak)}
    if seen[low].deviation <= seen[1.001 * peak].deviation:
        high = 1.001 * peak
    for _ in range(24):
        left, right = high - share * (high - low), low + share * (high - low)
        for top in (left, right):
            if top not in seen:
                seen[top] = fitted(top)
        low, high = (low, right) if seen[left].deviation < seen[right].deviation else (left, high)
    return min(seen.values(), key=lambda found: found.deviation)


@dataclass(frozen=True)
class _HalfCosine:
    course: Course
    begin: float | None


def _half_cosine(points: Points, peak: float, floor: float) -> _HalfCosine:
    """floor + (peak - floor) * (1 + cos(pi * phase)) / 2, its phase a line over the steps, fitted to these points."""
    height = peak - floor
    if height <= 0:
        return _HalfCosine(lambda _: peak, None)
    phases = [(step, _phase(rate, peak, floor)) for step, rate in points]
    # Near the ends of a half cosine the rate says little about the phase: weigh by how fast one changes with the other.
    phase = line(phases, [math.sin(math.pi * value) ** 2 + 1e-9 for _, value in phases])
    slope = phase(1.0) - phase(0.0)
    begin = -phase(0.0) / slope if slope > 0 else None
    return _HalfCosine(
        lambda step: floor + height * (1 + math.cos(math.pi * max(0.0, min(1.0, phase(step))))) / 2, begin
    )


def _phase(rate: float, peak: float, floor: float) -> float:
    """0 at the peak of a half cosine, 1 at its floor."""
    return math.acos(max(-1.0, min(1.0, 2 * (rate - floor) / (peak - floor) - 1))) / math.pi
