"""Trace: what is drawn of a curve, its points within the window and where its line comes in and goes out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from vlmft_console.charts.spec import Curve, Points
from vlmft_console.charts.view import Window
from vlmft_console.charts.y_range import scaled
from vlmft_console.history.column import Point

_LOOKS = 80
"""Doublings from a column to more than any log is long."""


@dataclass(frozen=True)
class Trace:
    """A curve within a window.

    Args:
        curve: the curve.
        points: what was measured within the window, decimated.
        enters, leaves: where the lines to the points just outside the window cross its edges. Nothing was measured
            there: they are part of the line, but no points.
    """

    curve: Curve
    points: Sequence[Point]
    enters: Point | None = None
    leaves: Point | None = None

    @property
    def line(self) -> list[Point]:
        """All that the line goes through, from the left edge to the right one."""
        first, last = ([point] if point else [] for point in (self.enters, self.leaves))
        return [*first, *self.points, *last]


def trace(curve: Curve, seen: Window, columns: int, log: bool) -> Trace:
    """The curve within `seen`, at most two points for each of `columns`.

    Evals are far apart: in a window between two of them their line is seen, though no point is.

    Args:
        log: whether y is logarithmic: the line is straight there, and not between the values.
    """
    points = curve.points.decimate(*seen, columns)
    if curve.kind == "old":  # dots, without a line between them
        return Trace(curve, points)
    step = (seen[1] - seen[0]) / max(1, columns)
    before, after = _beyond(curve.points, seen[0], -step), _beyond(curve.points, seen[1], step)
    enters = _crossing(before, points[0] if points else after, seen[0], log)
    leaves = _crossing(points[-1] if points else before, after, seen[1], log)
    return Trace(curve, points, enters, leaves)


def _beyond(points: Points, edge: float, step: float) -> Point | None:
    """The point nearest to `edge` on its left where `step` is negative, else on its right; None without one."""
    end = points.first if step < 0 else points.last
    if end is None or (end[0] - edge) * step <= 0:
        return None
    # A look at a place that finds a point of the other side, tells that there is none of this side up to twice as far
    # from the edge: the first one that is found is the next one.
    found, distance = points.nearest(edge), step
    for _ in range(_LOOKS):
        if found is None or (found[0] - edge) * step > 0:
            return found
        found, distance = points.nearest(edge + distance), 2 * distance
    return None


def _crossing(left: Point | None, right: Point | None, edge: float, log: bool) -> Point | None:
    """Where the line from `left` to `right` is at `edge`; None where it is not drawn or cannot be."""
    if left is None or right is None or left[1] is None or right[1] is None or not left[0] < edge < right[0]:
        return None
    share = (edge - left[0]) / (right[0] - left[0])
    low, high = scaled(left[1], log), scaled(right[1], log)
    if low is None or high is None:
        return None
    place = low * (1 - share) + high * share
    return edge, 10.0**place if log else place
