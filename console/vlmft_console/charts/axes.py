"""Axes and what else stands around the curves: marks, off-scale markers, the crosshair."""

from __future__ import annotations

from collections.abc import Sequence

from vlmft_console.charts.canvas import Canvas
from vlmft_console.charts.curves import put_point
from vlmft_console.charts.grid import Grid
from vlmft_console.charts.spec import ChartSpec, Kind
from vlmft_console.charts.styles import Look, shown
from vlmft_console.charts.ticks import x_label, x_ticks
from vlmft_console.charts.trace import Trace
from vlmft_core.figures import figure

_COLUMNS_A_TICK = 11
_MEASURED: tuple[Kind, ...] = ("raw", "line", "points")
"""Kinds of curves whose gaps are values that were not finite."""
_ASIDE = (0, 1, -1, 2, -2, 3, -3)
"""Where a mark may stand, in columns from its own."""


def draw_axes(grid: Grid, canvas: Canvas, spec: ChartSpec, look: Look, *, ruled: bool) -> None:
    """Labels of y on the left; below, a line if `ruled`, the marks that have no value, and labels of x.

    The marks are on the line or, where there is none, among the labels: within the canvas they would be points.
    """
    labels = dict(canvas.y_axis.labels)
    for row in range(canvas.height):
        label = labels.get(canvas.height - 1 - row, "")
        if len(label) >= canvas.left:
            label = ""
        grid.put(0, canvas.top + row, label.rjust(canvas.left - 1), "axis" if label else "")
        grid.put(canvas.left - 1, canvas.top + row, shown("┤" if label else "│", look), "axis")
    below = canvas.top + canvas.height
    places = [
        (max(0, min(canvas.width - 1, canvas.column(value))), label)
        for value, label in x_ticks(*canvas.seen, max(1, canvas.width // _COLUMNS_A_TICK), spec.unit)
    ]
    if ruled:
        rule = ["─"] * canvas.width
        for column, _ in places:
            rule[column] = "┬"
        grid.put(canvas.left - 1, below, shown("└" + "".join(rule), look), "axis")
    _draw_marks_below(grid, canvas, spec, look)
    for column, label in places:
        _put_x_label(grid, canvas, below + ruled, column, label)
    grid.put(0, below + ruled, spec.unit.rjust(canvas.left - 2), "axis")


def _put_x_label(grid: Grid, canvas: Canvas, row: int, column: int, label: str) -> None:
    """Put a label below its column, or a little beside where a mark is in its way; nowhere if that does not do."""
    for aside in (0, 1, -1, 2, -2):
        place = max(0, min(canvas.width - len(label), column - len(label) // 2 + aside))
        around = range(max(0, place - 1), min(canvas.width, place + len(label) + 1))
        if all(grid.blank(canvas.left + each, row) for each in around):
            grid.put(canvas.left + place, row, label, "axis")
            return


def _draw_marks_below(grid: Grid, canvas: Canvas, spec: ChartSpec, look: Look) -> None:
    """Marks without a value, on the row below the curves. Of two in one column the later one stands beside it."""
    taken: dict[int, str] = {}
    for mark in spec.marks:
        glyph, column = mark.glyph if look.unicode else mark.plain, canvas.column(mark.x)
        if mark.y is not None or not 0 <= column < canvas.width:
            continue
        near = [each for aside in _ASIDE if 0 <= (each := column + aside) < canvas.width]
        place = next((each for each in near if taken.get(each, glyph) == glyph), column)
        taken[place] = glyph
        grid.put(canvas.left + place, canvas.top + canvas.height, glyph, mark.style)


def draw_marks(grid: Grid, canvas: Canvas, spec: ChartSpec, look: Look) -> None:
    """Marks on the curves."""
    for mark in spec.marks:
        if mark.y is not None:
            put_point(grid, canvas, mark.x, mark.y, mark.glyph if look.unicode else mark.plain, mark.style)


def draw_gaps(grid: Grid, canvas: Canvas, traces: Sequence[Trace], look: Look) -> str:
    """A sign at the bottom wherever what was measured was not a finite number.

    Returns:
        The sign, for the legend; empty where all is finite.
    """
    sign, found = "×" if look.unicode else "x", False
    for each in traces:
        if each.curve.kind not in _MEASURED:
            continue
        for x in (x for x, y in each.points if y is None):
            column = canvas.column(x)
            if 0 <= column < canvas.width:
                grid.put(canvas.left + column, canvas.top + canvas.height - 1, sign, "not-finite", over=False)
                found = True
    return sign if found else ""


def draw_off_scale(grid: Grid, canvas: Canvas, traces: Sequence[Trace], spec: ChartSpec, look: Look) -> None:
    """An arrow at the edge for every point beyond it; the farthest one names its value and where it is."""
    low, high = canvas.limits
    outside = [
        (x, y, side)
        for each in traces
        if each.curve.kind != "planned" and spec.sets_scale(each.curve)
        for x, y in each.points
        if y is not None and not low <= y <= high and (side := canvas.beyond(y))
    ]
    for side, row, glyph in ((1, 0, "▲"), (-1, canvas.height - 1, "▼")):
        found, arrow = [(x, y) for x, y, where in outside if where == side], shown(glyph, look)
        if not found:
            continue
        for x, _ in found:
            column = canvas.column(x)
            if 0 <= column < canvas.width:
                grid.put(canvas.left + column, canvas.top + row, arrow, "off-scale")
        x, y = max(found, key=lambda point: side * point[1])
        name, column = f"{figure(y)} @{x_label(x, spec.unit)}", canvas.column(x)
        text = f"{arrow} {name} "
        if column + len(text) > canvas.width + 1 and column - len(text) + 1 >= 0:
            text = f" {name} {arrow}"
            column -= len(text) - 1
        if len(text) <= canvas.width:
            grid.put(canvas.left + max(0, min(column, canvas.width - len(text))), canvas.top + row, text, "off-scale")


def draw_crosshair(grid: Grid, canvas: Canvas, x: float, look: Look) -> None:
    """A line at `x` where the curves leave room for it."""
    column = canvas.column(x)
    if 0 <= column < canvas.width:
        for row in range(canvas.height):
            grid.put(canvas.left + column, canvas.top + row, shown("│", look), "crosshair", over=False)
