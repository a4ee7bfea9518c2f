"""Column: points in order of steps, asked about at the cost of a column of a chart and not of every point."""

from __future__ import annotations

import math
from array import array
from bisect import bisect_left, bisect_right
from collections.abc import Iterator
from itertools import islice

from vlmft_console.history.extremes import Extremes

Point = tuple[float, float | None]
"""x, mostly a step, and y; y is None in a gap, where the value was not finite."""

_SAMPLE = 1024
"""Values that quantiles are taken from, evenly spaced over the range."""


class Column:
    """Points, as they were appended. Finite or not known: NaN never comes out.

    Two columns may share their memory; each then ends at its own length.
    """

    def __init__(self) -> None:
        self._x = array("d")
        self._y = array("d")
        self._gaps: array[int] = array("q")
        self._extremes = Extremes(self._y)
        self._length = 0

    def __len__(self) -> int:
        return self._length

    def __iter__(self) -> Iterator[Point]:
        values = (None if math.isnan(value) else value for value in islice(self._y, self._length))
        return zip(islice(self._x, self._length), values, strict=True)

    def __getitem__(self, index: int) -> Point:
        if not -self._length <= index < self._length:
            raise IndexError(f"point {index} of {self._length}")
        if index < 0:
            index += self._length
        value = self._y[index]
        return self._x[index], None if math.isnan(value) else value

    @property
    def first(self) -> Point | None:
        return self[0] if self else None

    @property
    def last(self) -> Point | None:
        return self[-1] if self else None

    @property
    def last_value(self) -> float | None:
        """The last point's; None where that is a gap, or there is no point."""
        return self.last[1] if self.last else None

    @property
    def low(self) -> float | None:
        """The lowest value of all."""
        found = self._extremes.between(0, self._length)
        return self._y[found[0]] if found else None

    @property
    def high(self) -> float | None:
        """The highest value of all."""
        found = self._extremes.between(0, self._length)
        return self._y[found[1]] if found else None

    def prepare(self) -> None:
        """Bring up to date what answers for many points at once, so that the next question does not have to."""
        self._extremes.between(0, self._length)

    def values(self, start: int = 0, stop: int | None = None) -> list[float]:
        """The finite values of the points `start` … `stop - 1`, in order; negative counts from the end."""
        first, end, _ = slice(start, stop).indices(self._length)
        values = self._y[first:end].tolist()
        return [value for value in values if not math.isnan(value)] if self._gap(first, end) is not None else values

    def decimate(self, x0: float, x1: float, columns: int) -> list[Point]:
        """At most two points for each of `columns` equal parts of `x0` … `x1`: its lowest and its highest.

        Returns:
            In the order they were appended. A part without a finite value, but with a gap, gives the gap; so does a
            part with a single finite value beside it.
        """
        points: list[Point] = []
        for start, stop in self._pieces():
            piece = self._decimate_piece(start, stop, x0, x1, columns)
            if points and piece:
                points.append((points[-1][0], None))
            points += piece
        return points

    def _pieces(self) -> list[tuple[int, int]]:
        """Stretches of points within which the steps never go back."""
        return [(0, self._length)]

    def _decimate_piece(self, start: int, stop: int, x0: float, x1: float, columns: int) -> list[Point]:
        x = self._x
        start, stop = bisect_left(x, x0, start, stop), bisect_right(x, x1, start, stop)
        scale = columns / (x1 - x0) if x1 > x0 else 0.0
        points: list[Point] = []
        while start < stop:
            column = min(int((x[start] - x0) * scale), columns - 1)
            end = stop
            if column < columns - 1 and scale:
                end = max(bisect_left(x, x0 + (column + 1) / scale, start, stop), start + 1)
                while end < stop and int((x[end] - x0) * scale) <= column:  # the two sums can round apart
                    end += 1
                while end - 1 > start and int((x[end - 1] - x0) * scale) > column:
                    end -= 1
            points += self._column(start, end)
            start = end
        return points

    def _column(self, start: int, stop: int) -> list[Point]:
        found = self._extremes.between(start, stop)
        if found is None:
            return [self[start]]
        first, second = sorted(found)
        if first != second:
            return [self[first], self[second]]
        gap = self._gap(start, stop)
        return [self[index] for index in ((first,) if gap is None else sorted((first, gap)))]

    def _gap(self, start: int, stop: int) -> int | None:
        """The first point among `start` … `stop - 1` that is a gap."""
        number = bisect_left(self._gaps, start)
        return self._gaps[number] if number < len(self._gaps) and self._gaps[number] < stop else None

    def nearest(self, x: float) -> Point | None:
        """The point whose step is nearest to `x`, the later one of two as near."""
        best: Point | None = None
        for start, stop in self._pieces():
            after = bisect_right(self._x, x, start, stop)
            for index in (after - 1, after):
                if start <= index < stop and (best is None or abs(self._x[index] - x) <= abs(best[0] - x)):
                    best = self[index]
        return best

    def quantiles(self, x0: float, x1: float, low: float, high: float) -> tuple[float, float] | None:
        """Values that a share `low` and a share `high` (0 … 1) of the points in `x0` … `x1` lie below, about.

        They are taken from evenly spaced points, always the same ones; None when there is no finite one.
        """
        found: list[float] = []
        for start, stop in self._pieces():
            start, stop = bisect_left(self._x, x0, start, stop), bisect_right(self._x, x1, start, stop)
            sample = self._y[start : stop : max(1, -(-(stop - start) // _SAMPLE))]
            found += [value for value in sample if not math.isnan(value)]
        found.sort()
        return (found[round(low * (len(found) - 1))], found[round(high * (len(found) - 1))]) if found else None

    def _add(self, x: array[float], y: array[float]) -> None:
        """Put points at the end; NaN is a gap."""
        start = len(self._x)
        self._x.extend(x)
        self._y.extend(y)
        self._gaps.extend(index for index, value in enumerate(y, start) if math.isnan(value))
        self._length += len(x)

    def _cut(self, length: int) -> None:
        """Keep the first points only."""
        del self._x[length:], self._y[length:]
        del self._gaps[bisect_left(self._gaps, length) :]
        self._extremes.cut(length)
        self._length = length
