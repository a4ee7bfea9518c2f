"""The part of a chart that curves are drawn on: where a point falls, in dots and in characters."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from vlmft_console.charts.axis import Axis
from vlmft_console.charts.numbers import finite
from vlmft_console.charts.raster import DOTS_ACROSS, DOTS_DOWN, Dots
from vlmft_console.charts.spec import Point
from vlmft_console.charts.view import Window

_BEYOND = 6
"""Dots outside the grid to which off-scale points are moved: a line to 1e300 would have as many dots."""


@dataclass(frozen=True)
class Canvas:
    """A rectangle of characters of a grid, and the ranges of x and y that it shows."""

    left: int
    top: int
    width: int
    height: int
    seen: Window
    axis: Axis

    def column(self, x: float) -> int:
        """The column of the canvas that `x` falls in; outside 0 … width - 1 when it is not seen."""
        return self._across(x) // DOTS_ACROSS

    def row(self, y: float) -> int | None:
        """The row of the canvas, 0 at the top, that `y` falls in; None when it is off the scale."""
        place = self._up(y)
        return None if place is None or not 0 <= place < self._dots_up else self.height - 1 - place // DOTS_DOWN

    def row_at(self, share: float) -> int:
        """The row of a place on the axis, 0 at the bottom to 1 at the top."""
        place = max(0, min(self._dots_up - 1, round(share * (self._dots_up - 1))))
        return self.height - 1 - place // DOTS_DOWN

    def beyond(self, y: float) -> int:
        """1 for a value above the scale, -1 for one below it, 0 for one on it."""
        place = self._up(y)
        return 0 if place is None else (place >= self._dots_up) - (place < 0)

    def dots(self, points: Iterable[Point]) -> Dots:
        """The points as dots; those that fall on the dot before them are left out."""
        found: list[tuple[int, int | None]] = []
        for x, y in points:
            dot = (self._across(x), None if y is None else self._up(y))
            if not found or dot != found[-1]:
                found.append(dot)
        return tuple(found)

    def _across(self, x: float) -> int:
        low, high = self.seen
        dots = self.width * DOTS_ACROSS
        share = (finite(x) - low) / (high - low)
        return max(-_BEYOND, min(dots + _BEYOND, int(share * (dots - 1) + 0.5) if share >= 0 else -1))

    def _up(self, y: float) -> int | None:
        share = self.axis.share(y)
        if share is None:
            return None
        dots = self._dots_up
        share = max(-1.0, min(2.0, share))
        place = round(share * (dots - 1))
        if share < 0:
            return max(-_BEYOND, min(-1, place)) if share < -1e-9 else 0
        if share > 1:
            return min(dots + _BEYOND, max(dots, place)) if share > 1 + 1e-9 else dots - 1
        return place

    @property
    def _dots_up(self) -> int:
        return self.height * DOTS_DOWN
