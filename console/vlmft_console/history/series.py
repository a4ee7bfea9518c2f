"""Series: one curve of a run, kept so that drawing costs by the column and not by the point."""

from __future__ import annotations

import math
import sys
from array import array
from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Iterator

from vlmft_console.history.column import Column, Point
from vlmft_console.history.extremes import Extremes
from vlmft_console.history.stored import ColumnFile, put_away

__all__ = ["Point", "Series", "Smoothed", "Superseded"]

Moment = tuple[int, int]
"""How long a series was and how often it had been rewound."""

_HIGHEST = sys.float_info.max
_NO_BIAS = 2.0**-54
"""One minus this, or less, is one."""
_AT_ONCE = 1 << 16
"""Points that are averaged at once: as Python numbers each takes four times its memory."""
_PIECES = 16
"""Superseded pieces that are drawn, the latest ones."""


class Series(Column):
    """Values over steps, in order of steps.

    A step lower than the last one rewinds: the points from there on are superseded.
    """

    def __init__(self) -> None:
        super().__init__()
        self._last = -math.inf
        self._shared = False
        self._superseded: Superseded | None = None

    def append(self, x: float, y: float | None) -> None:
        """Add a point; a `y` of None, or one that is not finite, is a gap."""
        if x < self._last:
            self.rewind(math.nextafter(x, -math.inf))
        self._last = x
        if not self._stands_there(1):
            if y is None or not -_HIGHEST <= y <= _HIGHEST:
                self._gaps.append(self._length)
                y = math.nan
            self._x.append(x)
            self._y.append(y)
        self._length += 1

    def extend(self, x: array[float], y: array[float]) -> None:
        """Add many points at once: steps that never go back, not even behind the last one, and finite values."""
        if x:
            self._last = x[-1]
            if not self._stands_there(len(x)):
                self._x.extend(x)
                self._y.extend(y)
            self._length += len(x)

    def rewind(self, x: float) -> None:
        """A resume from step `x`: all later points move to `superseded`."""
        self._unshare()
        cut = bisect_right(self._x, x)
        if cut < len(self._x):
            self.superseded.add(cut, self._x[cut:], self._y[cut:])
            self._cut(cut)

    def put_away(self, file: ColumnFile) -> None:
        """Keep the points in a file rather than in memory, unless they are few or shared.

        Raises:
            OSError: there is no room for them.
        """
        if not self._shared:
            self._x, self._y = put_away(self._x, file), put_away(self._y, file)
            self._extremes.move(self._y)

    @property
    def superseded(self) -> Superseded:
        """What resumed segments have replaced."""
        if self._superseded is None:
            self._superseded = Superseded()
        return self._superseded

    def moment(self) -> Moment:
        """What `as_of` needs to make this series as it is now, from a later one."""
        return self._length, self._superseded.pieces if self._superseded else 0

    def as_of(self, moment: Moment) -> Series:
        """A series as this one was when it gave `moment`.

        It may be fed, but only what came here next: it shares the memory where it can.
        """
        copy = Series()
        copy._take(self, moment)
        return copy

    def _take(self, later: Series, moment: Moment) -> None:
        """Become what `later` was at `moment`. Rewinds since then are undone, the latest first, in own memory."""
        length, pieces = moment
        self._x, self._y, self._gaps, self._extremes = later._x, later._y, later._gaps, later._extremes
        self._superseded = later._superseded
        self._length, self._shared = len(later._x), True
        if later._superseded and later._superseded.pieces > pieces:
            self._unshare()
            for cut, x, y in later._superseded.undone(pieces):
                self._cut(cut)
                self._add(x, y)
            self._superseded = later._superseded.earliest(pieces)
            self._cut(length)
        self._end_at(length)

    def _stands_there(self, count: int) -> bool:
        """Whether the next points are in the shared memory already."""
        if self._shared and self._length + count > len(self._x):
            self._unshare()
        return self._shared

    def _unshare(self) -> None:
        """Go on in memory of its own, where that was shared."""
        if self._shared:
            x, y = self._x[: self._length], self._y[: self._length]
            self._x, self._y, self._gaps, self._length, self._shared = array("d"), array("d"), array("q"), 0, False
            self._extremes = Extremes(self._y)
            self._add(x, y)
            if self._superseded:
                self._superseded = self._superseded.earliest(self._superseded.pieces)

    def _cut(self, length: int) -> None:
        super()._cut(length)
        self._end_at(length)

    def _end_at(self, length: int) -> None:
        self._length = length
        self._last = self._x[length - 1] if length else -math.inf


class Superseded(Series):
    """What resumed segments have replaced: one piece for each rewind, between which the steps may go back.

    Drawn, pieces are parted by a gap; of many, the latest ones are drawn.
    """

    def __init__(self) -> None:
        super().__init__()
        self._starts: array[int] = array("q")
        self._cuts: array[int] = array("q")

    @property
    def pieces(self) -> int:
        """How many rewinds there were."""
        return len(self._starts)

    def add(self, cut: int, x: array[float], y: array[float]) -> None:
        """Take over the points of a series that stood from index `cut` on."""
        self._starts.append(len(self._x))
        self._cuts.append(cut)
        self._add(x, y)

    def undone(self, pieces: int) -> Iterator[tuple[int, array[float], array[float]]]:
        """The pieces after the first `pieces`, as `add` got them, the latest first."""
        end = len(self._x)
        for piece in range(len(self._starts) - 1, pieces - 1, -1):
            start = self._starts[piece]
            yield self._cuts[piece], self._x[start:end], self._y[start:end]
            end = start

    def earliest(self, pieces: int) -> Superseded:
        """A copy with the first `pieces` only."""
        copy = Superseded()
        end = self._starts[pieces] if pieces < len(self._starts) else len(self._x)
        copy._starts, copy._cuts = self._starts[:pieces], self._cuts[:pieces]
        copy._add(self._x[:end], self._y[:end])
        return copy

    def _pieces(self) -> list[tuple[int, int]]:
        starts = self._starts[-_PIECES:]
        return list(zip(starts, [*starts[1:], len(self._x)], strict=True)) if starts else []


class Smoothed(Series):
    """The exponential moving average of another series, free of bias towards its first value.

    After n values it is their mean weighted by `weight` to the power of their age, as Adam corrects its moments. A gap
    leaves it as it is. Whoever appends to the source, or rewinds it, does the same here after it.

    Args:
        source: the raw values.
        weight: of the past, 0 (none) to below 1.
    """

    def __init__(self, source: Series, weight: float = 0.9) -> None:
        super().__init__()
        self._source = source
        self._weight = weight
        self._mean = 0.0

    @property
    def weight(self) -> float:
        return self._weight

    @weight.setter
    def weight(self, weight: float) -> None:
        if weight == self._weight:
            return
        self._unshare()
        self._weight = weight
        self._superseded = self._averaged(self._source.superseded) if self._source.superseded else None
        self._cut(0)
        source, start = self._source, 0
        gaps = source._gaps[: bisect_left(source._gaps, len(source))]
        for gap in [*gaps, len(source)]:
            for begin in range(start, gap, _AT_ONCE):
                end = min(begin + _AT_ONCE, gap)
                self.extend(source._x[begin:end], source._y[begin:end])
            if gap < len(source):
                self.append(source._x[gap], None)
            start = gap + 1

    def append(self, x: float, y: float | None) -> None:
        if x < self._last:
            self.rewind(math.nextafter(x, -math.inf))
        if y is not None and -_HIGHEST <= y <= _HIGHEST:
            (y,) = self._averages((y,))
        super().append(x, y)

    def extend(self, x: array[float], y: array[float]) -> None:
        super().extend(x, array("d", self._averages(y)))

    def _averages(self, raw: Iterable[float]) -> list[float]:
        """The average at each of these further finite values."""
        mean, weight = self._mean, self._weight
        averages: list[float] = []
        values = iter(raw)
        count = self._length - bisect_left(self._gaps, self._length)
        while (bias := weight ** (count := count + 1)) > _NO_BIAS and (value := next(values, None)) is not None:
            share = (1 - weight) / (1 - bias)
            mean = mean * (1 - share) + value * share  # a convex sum: two huge values do not overflow
            averages.append(mean)
        share = 1 - weight
        keep = 1 - share
        for value in values:
            mean = mean * keep + value * share
            averages.append(mean)
        self._mean = mean
        return averages

    def _averaged(self, raw: Superseded) -> Superseded:
        """Every superseded piece averaged by itself."""
        averaged = Superseded()
        for cut, x, y in reversed(list(raw.undone(0))):
            piece = Smoothed(raw, self._weight)
            for step, value in zip(x, y, strict=True):
                piece.append(step, value)
            averaged.add(cut, piece._x, piece._y)
        return averaged

    def _end_at(self, length: int) -> None:
        super()._end_at(length)
        places = (index for index in range(length - 1, -1, -1) if not math.isnan(self._y[index]))
        self._mean = next((self._y[index] for index in places), 0.0)

    def copy_onto(self, source: Series, moment: Moment) -> Smoothed:
        """As `as_of`, for a copy of the source."""
        copy = Smoothed(source, self._weight)
        copy._take(self, moment)
        return copy
