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
        # By level, level 0 being the column itself. A bucket that has nothing but gaps is infinite.
        self._lows = [values]
        self._highs = [values]

    def cut(self, length: int) -> None:
        """The column keeps its first `length` values only; those that follow may differ from what was there."""
        for lows, highs in zip(self._lows[1:], self._highs[1:], strict=True):
            length //= FAN
            del lows[length:], highs[length:]

    def move(self, values: array[float]) -> None:
        """The column is another object now, with the same values."""
        self._lows[0] = self._highs[0] = values

    def between(self, start: int, stop: int) -> tuple[int, int] | None:
        """Index of a lowest and of a highest value among `start` … `stop - 1`; None when there are only gaps."""
        if stop - start < FAN:  # no bucket lies in it
            values = self._lows[0][start:stop]
            low, high = _extremes(values)
            return None if low > high else (start + values.index(low), start + values.index(high))
        self._catch_up()
        low, high = math.inf, -math.inf
        lowest = highest = (0, start, start)
        for stretch in self._stretches(start, stop):
            least, most = self._scan(*stretch)
            if least < low:
                low, lowest = least, stretch
            if most > high:
                high, highest = most, stretch
        if low > high:
            return None
        return _place(low, self._lows, *lowest), _place(high, self._highs, *highest)

    def _stretches(self, start: int, stop: int) -> list[tuple[int, int, int]]:
        """What a stretch of the column is made of, in buckets as large as can be: level, first and last + 1 there."""
        found: list[tuple[int, int, int]] = []
        level = 0
        while start < stop:
            left, right = -(-start // FAN), stop // FAN
            if level + 1 == len(self._lows) or left >= right:
                return [*found, (level, start, stop)]
            found += [(level, start, left * FAN), (level, right * FAN, stop)]
            start, stop, level = left, right, level + 1
        return found

    def _scan(self, level: int, start: int, stop: int) -> tuple[float, float]:
        values = self._lows[level][start:stop]
        if level and values:
            return min(values), max(self._highs[level][start:stop])
        return _extremes(values)

    def _catch_up(self) -> None:
        level = 0
        while level + 1 < len(self._lows) or len(self._lows[level]) >= FAN:
            if level + 1 == len(self._lows):
                self._lows.append(array("d"))
                self._highs.append(array("d"))
            lows, highs = self._lows[level + 1], self._highs[level + 1]
            for begin in range(len(lows) * FAN, len(self._lows[level]) - FAN + 1, _AT_ONCE):
                values = self._lows[level][begin : begin + _AT_ONCE]
                uppers = self._highs[level][begin : begin + _AT_ONCE] if level else values
                for first in range(0, len(values) - FAN + 1, FAN):
                    bucket = values[first : first + FAN]
                    low, high = _extremes(bucket)
                    lows.append(low)
                    highs.append(max(uppers[first : first + FAN]) if level else high)
            level += 1


def _extremes(values: array[float]) -> tuple[float, float]:
    """The lowest and the highest of a few values."""
    for leading, value in enumerate(values):
        if value == value:  # min and max pass over every NaN except a leading one
            numbers = values[leading:] if leading else values
            return min(numbers), max(numbers)
    return math.inf, -math.inf


def _place(value: float, levels: list[array[float]], level: int, start: int, stop: int) -> int:
    """Where in the column a value stands that is the extreme of a stretch of a level."""
    place = start + levels[level][start:stop].index(value)
    for below in reversed(levels[:level]):
        place = place * FAN + below[place * FAN : (place + 1) * FAN].index(value)
    return place
