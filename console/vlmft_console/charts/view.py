"""View: which part of a chart is seen, the whole or a window that follows the latest point or stays where it is."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

from vlmft_console.charts.spec import ChartSpec
from vlmft_console.charts.ticks import finite, rounded_up

_SIZES = (1.0, 1.1, 1.25, 1.5, 1.75, 2.0, 2.25, 2.5, 3.0, 3.5, 4.0, 4.5, 5.0, 6.0, 7.0, 8.0, 9.0, 10.0)
_JUMP = 8
"""Columns that a window which follows moves at a time: every move redraws all of it."""
_SMALLEST = {"step": 8.0, "record": 8.0, "epoch": 0.05, "hours": 0.02}

Window = tuple[float, float]


@dataclass(frozen=True)
class View:
    """How one chart is looked at.

    Args:
        span: width of the window in x; None for the whole chart.
        right: right edge of the window; None follows the latest point.
        log: logarithmic y; None for what the chart starts out with.
        cross: x of the crosshair; None when it is off.
    """

    span: float | None = None
    right: float | None = None
    log: bool | None = None
    cross: float | None = None

    @property
    def follows(self) -> bool:
        return self.right is None


def window(spec: ChartSpec, view: View, columns: int) -> Window | None:
    """The range of x to draw on `columns` columns; None when there is nothing to draw."""
    whole = whole_range(spec, columns)
    if whole is None or view.span is None:
        return whole
    right = view.right
    if right is None:
        jump = view.span / max(1, columns) * _JUMP
        latest = spec.reach[1] if spec.reach else whole[1]
        right = min(whole[1], math.ceil(latest / jump) * jump)
    return right - view.span, right


def whole_range(spec: ChartSpec, columns: int) -> Window | None:
    """The range of x that holds everything.

    Its right edge moves in steps: every column stands for a round number of steps, and only when the data no longer
    fit is the next larger number taken. A new point then changes its own column, not all of them.
    """
    if spec.whole is not None:
        low, high = spec.whole
        return (low, high) if high > low else (low, low + 1)
    if spec.reach is None:
        return None
    first, last = spec.reach
    low = min(0.0, first) if first <= max(1.0, last / 4) else first
    low, last = finite(low), finite(last)
    least = _SMALLEST[spec.unit] / max(1, columns)
    width = rounded_up(max((last - low) / max(1, columns - 1), least), _SIZES)
    high = low + width * max(1, columns)
    if not high > low:
        return low, low + max(1.0, abs(low) * 1e-9)  # apart by less than a number can tell
    if spec.limit is not None and last <= spec.limit < high and spec.limit > low:
        high = spec.limit
    return low, high


def zoomed(spec: ChartSpec, view: View, columns: int, factor: float) -> View:
    """`view` with a window `factor` times as wide, about the crosshair or, where it follows, at its right edge."""
    whole, seen = whole_range(spec, columns), window(spec, view, columns)
    if whole is None or seen is None:
        return view
    span = max(_SMALLEST[spec.unit], (seen[1] - seen[0]) * factor)
    if span >= whole[1] - whole[0]:
        return replace(view, span=None, right=None)
    if view.cross is not None:
        share = (view.cross - seen[0]) / (seen[1] - seen[0])
        left = view.cross - share * span
        return replace(view, span=span, right=_held(left + span, span, whole))
    if view.follows:
        return replace(view, span=span)
    middle = (seen[0] + seen[1]) / 2
    return replace(view, span=span, right=_held(middle + span / 2, span, whole))


def panned(spec: ChartSpec, view: View, columns: int, share: float) -> View:
    """`view` with its window moved by `share` of its width; at the latest point it follows again."""
    whole, seen = whole_range(spec, columns), window(spec, view, columns)
    if whole is None or seen is None or view.span is None:
        return view
    right = _held(seen[1] + share * view.span, view.span, whole)
    latest = spec.reach[1] if spec.reach else whole[1]
    if share > 0 and right >= latest and right >= seen[1]:
        return replace(view, right=None)
    return replace(view, right=right)


def held_still(spec: ChartSpec, view: View, columns: int) -> View:
    """`view` that shows what it shows now, whatever is added."""
    seen = window(spec, view, columns)
    return view if seen is None else replace(view, span=seen[1] - seen[0], right=seen[1])


def crossed(spec: ChartSpec, view: View, columns: int, x: float) -> View:
    """`view` with the crosshair at the point nearest to `x`, and a window that holds it."""
    near = [point[0] for curve in spec.curves if curve.kind != "planned" and (point := curve.points.nearest(x))]
    if not near:
        return replace(view, cross=None)
    place = min(near, key=lambda found: abs(found - x))
    view = replace(view, cross=place)
    seen = window(spec, view, columns)
    if seen is None or view.span is None or seen[0] <= place <= seen[1]:
        return view
    return replace(view, right=place if place > seen[1] else place + view.span)


def cross_moved(spec: ChartSpec, view: View, columns: int, direction: int) -> View:
    """`view` with the crosshair moved by one column, or to the next point where points are farther apart."""
    seen = window(spec, view, columns)
    if view.cross is None or seen is None:
        return view
    column = (seen[1] - seen[0]) / max(1, columns)
    for distance in range(1, max(2, columns)):
        moved = crossed(spec, view, columns, view.cross + direction * distance * column)
        if moved.cross is None or (moved.cross - view.cross) * direction > 0:
            return moved
    return view


def _held(right: float, span: float, whole: Window) -> float:
    return max(whole[0] + span, min(whole[1], right))
