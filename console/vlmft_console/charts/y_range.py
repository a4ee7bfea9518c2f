"""Y range: robust against a few wild values, steady while data come in, linear or logarithmic."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from vlmft_console.charts.spec import ChartSpec, Curve
from vlmft_console.charts.ticks import finite, has_exponent, log_ticks, nice_step, ticks
from vlmft_console.history.column import Point

_TAIL = 0.01
"""Share of the values at either end that a range may leave out."""
_STRETCH = 2.0
"""A range is cut to the values between the tails only if all values would need more than this many times as much."""
_REFERENCE_STRETCH = 1.6
"""A reference line outside the data is shown if the range grows by no more than this for it."""
_LOG_ROOM = 0.3
"""Room above and below the values between the tails, in powers of ten: a factor of two."""
_NEAR_ZERO = 0.3
"""A range that starts within this share of its top is drawn from zero on."""
_START = 0.25
"""What a chart that settles may leave off the scale lies within this share of a curve's x, at its beginning: of every
curve the rest is seen, also of one that ends where others have hardly begun."""
_SQUEEZED = 4.0
"""It does so only where all values need more than this many times the height of the later ones."""
_FEWEST = 30
"""Points below which the beginning of a curve is not told from the rest of it."""

Drawn = Sequence[tuple[Curve, Sequence[Point]]]
"""Each curve with its decimated points."""


@dataclass(frozen=True)
class YRange:
    """A range of y. On a logarithmic one `low` and `high` are logarithms to base ten."""

    low: float
    high: float
    log: bool = False

    def share(self, value: float) -> float | None:
        """Where `value` lies: 0 at the bottom, 1 at the top; None for what a logarithm does not have."""
        place = scaled(value, self.log)
        return None if place is None else (place - self.low) / (self.high - self.low)

    def ticks(self, parts: int) -> list[tuple[float, str]]:
        """About `parts` labels, each with where it belongs: 0 at the bottom, 1 at the top."""
        found = (log_ticks if self.log else ticks)(self.low, self.high, parts)
        return [((place - self.low) / (self.high - self.low), label) for place, label in found]


def scaled(value: float, log: bool) -> float | None:
    """`value` as the axis counts it; None where a logarithmic one cannot."""
    value = finite(value)
    if not log:
        return value
    return math.log10(value) if value > 0 else None


def fit(drawn: Drawn, seen: tuple[float, float], spec: ChartSpec, log: bool) -> YRange | None:
    """The range for these curves with round ends; None when they have nothing that could be shown.

    Args:
        drawn: the curves with their points within `seen`.
        seen: range of x.
        spec: the chart; its reference lines are included where that costs little.
        log: whether the axis is logarithmic.
    """
    span = needed(drawn, seen, spec, log)
    return None if span is None else _rounded(*span, log)


def needed(
    drawn: Drawn, seen: tuple[float, float], spec: ChartSpec, log: bool, *, settles: bool = False
) -> tuple[float, float] | None:
    """The lowest and the highest value to show, as logarithms on a logarithmic axis; as `fit`.

    Args:
        settles: whether the first values may be left off the scale where they would squeeze the later ones.
    """
    span = _span(drawn, seen, spec, log)
    if span is None:
        return None
    low, high = _settled(span, drawn, seen, spec) if settles and not log else span
    if log:
        low, high = _widened(low, high, 0.5)
    elif high - low < (least := _least_span(low, high)):
        middle = (low + high) / 2
        low, high = (0.0, least) if low >= 0 and middle < least / 2 else (middle - least / 2, middle + least / 2)
        low = 0.0 if spec.from_zero and low > 0 else low
    elif low > 0 and (spec.from_zero or low < _NEAR_ZERO * high):
        low = 0.0
    for line in spec.references:
        place = scaled(line.y, log)
        if place is not None and max(high, place) - min(low, place) <= _REFERENCE_STRETCH * (high - low):
            low, high = min(low, place), max(high, place)
    return low, high


def _span(drawn: Drawn, seen: tuple[float, float], spec: ChartSpec, log: bool) -> tuple[float, float] | None:
    ranges = [
        span for curve, points in drawn if spec.sets_scale(curve) and (span := _curve_range(curve, points, seen, log))
    ]
    return (min(span[0] for span in ranges), max(span[1] for span in ranges)) if ranges else None


def _settled(
    span: tuple[float, float], drawn: Drawn, seen: tuple[float, float], spec: ChartSpec
) -> tuple[float, float]:
    """`span`, cut so that the later values have about half the height, where they would have little of it."""
    if spec.extent is None or max(len(curve.points) for curve, _ in drawn) < _FEWEST:
        return span
    ranges = []
    for curve, points in drawn:
        first, last = curve.points.first, curve.points.last
        if not spec.sets_scale(curve) or first is None or last is None:
            continue
        start = first[0] + _START * (last[0] - first[0])
        later = [point for point in points if point[0] >= start]
        if found := _curve_range(curve, later, (start, seen[1]), False):
            ranges.append(found)
    rest = (min(low for low, _ in ranges), max(high for _, high in ranges)) if ranges else None
    if rest is None or span[1] - span[0] <= _SQUEEZED * (rest[1] - rest[0]):
        return span
    room = max(rest[1] - rest[0], (span[1] - span[0]) / (2 * _SQUEEZED))
    return max(span[0], rest[0] - room), min(span[1], rest[1] + room)


def _curve_range(
    curve: Curve, points: Sequence[Point], seen: tuple[float, float], log: bool
) -> tuple[float, float] | None:
    values = [place for _, y in points if y is not None and (place := scaled(y, log)) is not None]
    if not values:
        return None
    low, high = min(values), max(values)
    bulk = curve.points.quantiles(*seen, _TAIL, 1 - _TAIL)
    if bulk is None:
        return low, high
    bulk_low, bulk_high = scaled(bulk[0], log), scaled(bulk[1], log)
    bulk_low = low if bulk_low is None else max(low, min(high, bulk_low))
    bulk_high = high if bulk_high is None else max(low, min(high, bulk_high))
    if high - low <= _STRETCH * (bulk_high - bulk_low) or bulk_high < bulk_low:
        return low, high
    room = 0.2 * (bulk_high - bulk_low) or 0.1 * abs(bulk_high) or 1.0
    if log:
        room = max(room, _LOG_ROOM)
    return max(low, bulk_low - room), min(high, bulk_high + room)


def _least_span(low: float, high: float) -> float:
    """The least that a linear range spans: as much as its labels can tell apart."""
    largest = max(abs(low), abs(high))
    if largest == 0:
        return 1.0
    return largest * (0.1 if low == high or has_exponent(largest) else 0.001)


def _widened(low: float, high: float, least: float) -> tuple[float, float]:
    missing = max(0.0, least - (high - low)) / 2
    return low - missing, high + missing


def _rounded(low: float, high: float, log: bool) -> YRange:
    """Ends at round places: a new extreme rarely moves them, and with them every character of the chart."""
    quantum = 0.1 if log else nice_step(high - low, 4) / 5
    rounded_low, rounded_high = math.floor(low / quantum + 1e-9) * quantum, math.ceil(high / quantum - 1e-9) * quantum
    if rounded_high > rounded_low:
        return YRange(rounded_low, rounded_high, log)
    return YRange(low, math.nextafter(high, math.inf) if high == low else high, log)
