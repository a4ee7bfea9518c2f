"""Curves that are no log's own series: a formula, and a series whose x counts something else than steps."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Sequence

from vlmft_console.charts.spec import Point, Points


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


def _between(value: float, knots: Sequence[float], values: Sequence[float]) -> float:
    index = max(1, min(len(knots) - 1, bisect_right(knots, value)))
    low, high = knots[index - 1], knots[index]
    return values[index - 1] + (value - low) / (high - low) * (values[index] - values[index - 1])
