"""Canvas: the part of a chart that curves are drawn on, where a point falls in dots and in characters."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass

from vlmft_console.charts.raster import DOTS_ACROSS, DOTS_DOWN, Dots
from vlmft_console.charts.ticks import finite
from vlmft_console.charts.view import Window
from vlmft_console.charts.y_axis import YAxis
from vlmft_console.history.column import Point

_BEYOND = 6
"""Dots outside the grid to which off-scale points are moved: a line to 1e300 would have as many dots."""

_EPSILON = 1e-6
"""Of a dot: a label's own value must not fall below the middle of its row."""


@dataclass(frozen=True)
class Canvas:
    """A rectangle of characters of a grid, and the ranges of x and y that it shows.

    A value's dot, the character of its point and the label beside it are all in the row that the axis of y gives it.
    """

    left: int
    top: int
    width: int
    height: int
    seen: Window
    y_axis: YAxis

    def column(self, x: float) -> int:
        """The column of the canvas that `x` falls in; outside 0 … width - 1 when it is not seen."""
        return self._across(x) // DOTS_ACROSS

    def row(self, y: float) -> int | None:
        """The row of the canvas, 0 at the top, that `y` falls in; None when it is off the scale."""
        place = self._up(y)
        return None if place is None or not 0 <= place < self._dots_up else self.height - 1 - place // DOTS_DOWN

    def beyond(self, y: float) -> int:
        """1 for a value above the scale, -1 for one below it, 0 for one on it."""
        place = self._up(y)
        return 0 if place is None else (place >= self._dots_up) - (place < 0)

    @property
    def limits(self) -> tuple[float, float]:
        """Values between which nothing is off the scale; a little within its ends."""
        low, high = self.y_axis.span.low, self.y_axis.span.high
        margin = (high - low) / (2 * self._dots_up)
        if self.y_axis.span.log:
            return 10.0 ** min(300.0, low + margin), 10.0 ** min(300.0, high - margin)
        return low + margin, high - margin

    def dots(self, points: Iterable[Point]) -> Dots:
        """The points as dots; those that fall on the dot before them are left out."""
        found: list[tuple[int, int | None]] = []
        across, up = self._across, self._up
        for x, y in points:
            dot = (across(x), None if y is None else up(y))
            if not found or dot != found[-1]:
                found.append(dot)
        return tuple(found)

    def _across(self, x: float) -> int:
        low, high = self.seen
        dots = self.width * DOTS_ACROSS
        share = (finite(x) - low) / (high - low)
        return min(dots + _BEYOND, int(share * (dots - 1) + 0.5)) if share >= 0 else -1

    def _up(self, y: float) -> int | None:
        share = self.y_axis.span.share(y)
        if share is None:
            return None
        dots = self._dots_up
        if 0 <= share <= 1:
            return math.floor(share * dots + _EPSILON)
        return max(-_BEYOND, min(dots + _BEYOND, math.floor(max(-1.0, min(2.0, share)) * dots + _EPSILON)))

    @property
    def _dots_up(self) -> int:
        return self.height * DOTS_DOWN
