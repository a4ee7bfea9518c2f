"""Derived curves, no log's own series: a formula, a running median, a series over something else than steps."""

from __future__ import annotations

import math
from bisect import bisect_left, bisect_right
from collections.abc import Callable, Sequence

from vlmft_console.charts.spec import Points
from vlmft_console.history.column import Point


class Formula:
    """A function of whole numbers, as the planned learning rate by step.

    Args:
        function: gives y for each x.
        first, last: the range of x.
    """

    def __init__(self, function: Callable[[int], float], first: int, last: int) -> None:
        self._function = function
        self._first, self._last = first, max(first, last)

    def __len__(self) -> int:
        return self._last - self._first + 1

    @property
    def first(self) -> Point:
        return self._at(self._first)

    @property
    def last(self) -> Point:
        return self._at(self._last)

    def decimate(self, x0: float, x1: float, columns: int) -> list[Point]:
        """The function at one x a column, and at both ends."""
        low, high = max(self._first, round(x0)), min(self._last, round(x1))
        if low > high:
            return []
        count = max(1, min(columns, high - low))
        return [self._at(x) for x in dict.fromkeys(low + (high - low) * index // count for index in range(count + 1))]

    def nearest(self, x: float) -> Point:
        """The function at the whole number nearest to `x` in its range."""
        return self._at(max(self._first, min(self._last, round(x))))

    def quantiles(self, x0: float, x1: float, low: float, high: float) -> None:
        """None: a formula has no outliers, all of it is to be seen."""
        return

    def _at(self, x: int) -> Point:
        return float(x), self._function(x)


_SAMPLES = 4
"""Points a column that a running median looks at."""
_COLUMNS, _POINTS = 3.0, 4.5
"""A median is of what lies within so many columns on both sides, or within so many times the usual distance of two
points where that is more."""
_GOLDEN = (math.sqrt(5) - 1) / 2


class RunningMedian:
    """The median of the points around each column: what a noisy curve does on the whole, whatever its spikes.

    It depends on how closely one looks and has no value at a step of its own. It costs by the column: of many points it
    looks at a few in each, always the same ones.

    Args:
        points: the noisy curve.
    """

    def __init__(self, points: Points) -> None:
        self._points = points

    def __len__(self) -> int:
        return len(self._points)

    @property
    def first(self) -> Point | None:
        return self._points.first

    @property
    def last(self) -> Point | None:
        return self._points.last

    def decimate(self, x0: float, x1: float, columns: int) -> list[Point]:
        """One median a column, at one of the column's points; a gap where all the points looked at are gaps."""
        first, last = self._points.first, self._points.last
        if first is None or last is None or not x1 > x0:
            return []
        width = (x1 - x0) / max(1, columns)
        usual = (last[0] - first[0]) / max(1, len(self._points) - 1)
        reach = max(_COLUMNS * width, _POINTS * usual)
        found = self._samples(max(first[0], x0 - reach), min(last[0], x1 + reach), max(width / _SAMPLES, usual / 2))
        chosen: dict[int, Point] = {}
        for x, y in found:
            column = int((x - x0) / width)
            if x0 <= x <= x1 and chosen.get(column, (x, None))[1] is None:
                chosen[column] = (x, y)
        finite = [(x, y) for x, y in found if y is not None]
        places = [x for x, _ in finite]

        # The newest column does not count before it is complete: each new point would else move the end of the line.
        complete = x0 + math.floor((last[0] - x0) / width) * width

        def median(x: float) -> float:
            start = bisect_left(places, x - reach)
            stop = bisect_right(places, min(x + reach, complete))
            around = finite[start : max(stop, start + 1)]
            return sorted(y for _, y in around)[len(around) // 2]

        return [(x, None if y is None else median(x)) for x, y in chosen.values()]

    def _samples(self, low: float, high: float, step: float) -> list[Point]:
        """Points from `low` to `high`, about a `step` apart."""
        found: list[Point] = []
        for number in range(math.floor(low / step), math.floor(high / step) + 1):
            # Off a regular grid: every sample could else fall on an eval's slow step.
            place = (number + number * _GOLDEN % 1) * step
            point = self._points.nearest(place) if low <= place <= high else None
            if point is not None and (not found or point[0] > found[-1][0]):
                found.append(point)
        return found

    def nearest(self, x: float) -> None:
        """None: there is no value to read off."""
        return

    def quantiles(self, x0: float, x1: float, low: float, high: float) -> None:
        """None: it lies within what it is the median of."""
        return


class Rescaled:
    """A series over epochs or hours instead of steps.

    Args:
        points: the series over steps.
        knots: steps and what they are on the new scale, both rising; in between and beyond it goes straight on. At
            least two.
    """

    def __init__(self, points: Points, knots: Sequence[tuple[float, float]]) -> None:
        self._points = points
        self._steps = [step for step, _ in knots]
        self._places = [place for _, place in knots]

    def __len__(self) -> int:
        return len(self._points)

    @property
    def first(self) -> Point | None:
        return self._moved(self._points.first)

    @property
    def last(self) -> Point | None:
        return self._moved(self._points.last)

    def decimate(self, x0: float, x1: float, columns: int) -> list[Point]:
        """As the series', between two places of the new scale."""
        found = self._points.decimate(self._step(x0), self._step(x1), columns)
        return [(_between(x, self._steps, self._places), y) for x, y in found]

    def nearest(self, x: float) -> Point | None:
        """The point nearest to a place of the new scale."""
        return self._moved(self._points.nearest(self._step(x)))

    def quantiles(self, x0: float, x1: float, low: float, high: float) -> tuple[float, float] | None:
        """As the series', between two places of the new scale."""
        return self._points.quantiles(self._step(x0), self._step(x1), low, high)

    def _step(self, place: float) -> float:
        return _between(place, self._places, self._steps)

    def _moved(self, point: Point | None) -> Point | None:
        return None if point is None else (_between(point[0], self._steps, self._places), point[1])


class Times:
    """A series in another unit of y.

    Args:
        points: the series.
        factor: above 0; what a value is multiplied with.
    """

    def __init__(self, points: Points, factor: float) -> None:
        self._points = points
        self._factor = factor

    def __len__(self) -> int:
        return len(self._points)

    @property
    def first(self) -> Point | None:
        return self._told(self._points.first)

    @property
    def last(self) -> Point | None:
        return self._told(self._points.last)

    def decimate(self, x0: float, x1: float, columns: int) -> list[Point]:
        """As the series', in the unit."""
        return [self._of(point) for point in self._points.decimate(x0, x1, columns)]

    def nearest(self, x: float) -> Point | None:
        """The point nearest to `x`, in the unit."""
        return self._told(self._points.nearest(x))

    def quantiles(self, x0: float, x1: float, low: float, high: float) -> tuple[float, float] | None:
        """As the series', in the unit."""
        found = self._points.quantiles(x0, x1, low, high)
        return found and (found[0] * self._factor, found[1] * self._factor)

    def _told(self, point: Point | None) -> Point | None:
        return point and self._of(point)

    def _of(self, point: Point) -> Point:
        return point[0], None if point[1] is None else point[1] * self._factor


def _between(value: float, knots: Sequence[float], values: Sequence[float]) -> float:
    index = max(1, min(len(knots) - 1, bisect_right(knots, value)))
    low, high = knots[index - 1], knots[index]
    return values[index - 1] + (value - low) / (high - low) * (values[index] - values[index - 1])
