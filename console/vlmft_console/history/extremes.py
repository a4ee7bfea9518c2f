"""Extremes: the lowest and highest value of any stretch of a growing column, without looking at every value again."""

from __future__ import annotations

import math
from array import array

FAN = 64
"""Values that one bucket sums up; a bucket of the next level sums up as many buckets."""
_AT_ONCE = FAN << 11
"""Values that are brought into memory at once, where they lie in a file."""


class Extremes:
    """Answers where the lowest and the highest value of a stretch are, in time that hardly grows with its length.

    A pyramid of buckets stands over the column. It is brought up to date when it is asked, which costs a small constant
    a value, once.

    Args:
        values: the column; NaN marks a gap. It may grow, and be cut after telling `cut`.
    """

    def __init__(self, values: array[float]) -> None:
        self._low = _Side(values, highest=False)
        self._high = _Side(values, highest=True)

    def cut(self, length: int) -> None:
        """The column keeps its first `length` values only; those that follow may differ from what was there."""
        self._low.cut(length)
        self._high.cut(length)

    def move(self, values: array[float]) -> None:
        """The column is another object now, with the same values."""
        self._low.move(values)
        self._high.move(values)

    def between(self, start: int, stop: int) -> tuple[int, int] | None:
        """Index of a lowest and of a highest value among `start` … `stop - 1`; None when there are only gaps."""
        low = self._low.find(start, stop)
        return None if low < 0 else (low, self._high.find(start, stop))


class _Side:
    """The pyramid of one kind of extreme. Level 0 is the column itself."""

    def __init__(self, values: array[float], *, highest: bool) -> None:
        self._pick = max if highest else min
        self._none = -math.inf if highest else math.inf
        self._levels = [values]
        self._places: list[array[int]] = [array("q")]  # where in the column each bucket's extreme is

    def move(self, values: array[float]) -> None:
        self._levels[0] = values

    def cut(self, length: int) -> None:
        for values, places in zip(self._levels[1:], self._places[1:], strict=True):
            length //= FAN
            del values[length:], places[length:]

    def find(self, start: int, stop: int) -> int:
        self._catch_up()
        best, place, level = self._none, -1, 0
        while start < stop:
            left, right = -(-start // FAN), stop // FAN
            if level + 1 == len(self._levels) or left >= right:
                stretches: tuple[tuple[int, int], ...] = ((start, stop),)
            else:
                stretches = ((start, left * FAN), (right * FAN, stop))
            for first, end in stretches:
                value, index = self._scan(level, first, end)
                if index >= 0 and (place < 0 or self._pick(value, best) != best):
                    best, place = value, index
            if len(stretches) == 1:
                break
            start, stop, level = left, right, level + 1
        return place

    def _catch_up(self) -> None:
        level = 0
        while level + 1 < len(self._levels) or len(self._levels[level]) >= FAN:
            if level + 1 == len(self._levels):
                self._levels.append(array("d"))
                self._places.append(array("q"))
            above, places = self._levels[level + 1], self._places[level + 1]
            for begin in range(len(above) * FAN, len(self._levels[level]) - FAN + 1, _AT_ONCE):
                below = self._levels[level][begin : begin + _AT_ONCE]
                for first in range(0, len(below) - FAN + 1, FAN):
                    value, index = self._extreme(below[first : first + FAN])
                    above.append(value)
                    index += begin + first
                    places.append(-1 if value is self._none else index if level == 0 else self._places[level][index])
            level += 1

    def _scan(self, level: int, start: int, stop: int) -> tuple[float, int]:
        value, index = self._extreme(self._levels[level][start:stop])
        if value is self._none:
            return value, -1
        return value, start + index if level == 0 else self._places[level][start + index]

    def _extreme(self, values: array[float]) -> tuple[float, int]:
        """The extreme of a few values, and its index among them."""
        # min and max pass over every NaN except a leading one: nothing compares as lower or higher than that
        leading = 0
        while leading < len(values) and values[leading] != values[leading]:
            leading += 1
        if leading == len(values):
            return self._none, -1
        value = self._pick(values[leading:] if leading else values)
        return value, values.index(value)
