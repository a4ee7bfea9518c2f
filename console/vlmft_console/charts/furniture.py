"""What stands around and beside the curves: title, legend, axes, reference lines, marks, off-scale markers."""

from __future__ import annotations

from collections.abc import Sequence

from vlmft_console.charts.canvas import Canvas
from vlmft_console.charts.curves import Drawn, legend_glyph, put_point
from vlmft_console.charts.grid import Grid, Run
from vlmft_console.charts.numbers import figure, ticks, x_label
from vlmft_console.charts.spec import ChartSpec
from vlmft_console.charts.styles import Look

_PLAIN = str.maketrans("│┤└─┬┄▲▼▸", "|++-+-^v>")
_COLUMNS_A_TICK, _ROWS_A_TICK = 11, 2.5


def _shown(text: str, look: Look) -> str:
    return text if look.unicode else text.translate(_PLAIN)


def draw_title(grid: Grid, spec: ChartSpec, look: Look, *, focused: bool, reading: Sequence[str] = ()) -> None:
    """The first row: title and headline on the left, the legend on the right; or what the crosshair reads.

    Args:
        reading: pieces of text; where they do not fit beside the title they take its place, as many as there is room
            for.
    """
    style = "title-focused" if focused else "title"
    if focused:
        grid.put(0, 0, _shown("▸", look), style)
    title = f"{spec.title} {'' if reading else spec.headline}"
    parts = list(reading)
    if reading and len(title) + len("  ".join(parts)) >= grid.width:
        title = ""
        while len("  ".join(parts)) >= grid.width:
            parts.pop()
    column = 1
    for text, each in ((title, style), ("  ".join(parts), "crosshair")):
        grid.put(column, 0, text, each)
        column += len(text)
    legend = [] if reading else _legend(spec, look)
    while legend and column + _length(legend) > grid.width:
        legend.pop()
    place = grid.width - _length(legend)
    for text, each in (run for entry in legend for run in entry):
        grid.put(place, 0, text, each)
        place += len(text)


def _legend(spec: ChartSpec, look: Look) -> list[list[Run]]:
    entries = [(legend_glyph(curve, look), curve.style_name, curve.label) for curve in spec.curves]
    entries += [(mark.glyph if look.unicode else mark.plain, mark.style, mark.legend) for mark in spec.marks]
    entries = [entry for entry in dict.fromkeys(entries) if entry[2]]
    if len(entries) == 1 and not spec.marks and not spec.curves[0].tag:
        return []  # a single curve is what the title says
    return [[(f" {glyph}", style), (f" {label}", "legend")] for glyph, style, label in entries]


def _length(legend: list[list[Run]]) -> int:
    return sum(len(text) for entry in legend for text, _ in entry)


def draw_axes(grid: Grid, canvas: Canvas, spec: ChartSpec, look: Look, *, ruled: bool) -> None:
    """Labels of y on the left, of x below; `ruled` draws a line between canvas and labels of x."""
    line = ["│"] * canvas.height
    for share, label in canvas.axis.ticks(max(2, round(canvas.height / _ROWS_A_TICK))):
        row = canvas.row_at(share)
        if line[row] == "│" and len(label) < canvas.left:
            line[row] = "┤"
            grid.put(0, canvas.top + row, label.rjust(canvas.left - 1), "axis")
    for row, character in enumerate(line):
        grid.put(canvas.left - 1, canvas.top + row, _shown(character, look), "axis")
    below = canvas.top + canvas.height
    rule = ["─"] * canvas.width
    end = -1
    for value, label in ticks(*canvas.seen, max(1, canvas.width // _COLUMNS_A_TICK)):
        column = max(0, min(canvas.width - 1, canvas.column(value)))
        place = max(0, min(canvas.width - len(label), column - len(label) // 2))
        if place > end:
            rule[column] = "┬"
            grid.put(canvas.left + place, below + ruled, label, "axis")
            end = place + len(label)
    if ruled:
        grid.put(canvas.left - 1, below, _shown("└" + "".join(rule), look), "axis")
    grid.put(0, below + ruled, spec.unit.rjust(canvas.left - 2), "axis")


def draw_references(grid: Grid, canvas: Canvas, spec: ChartSpec, look: Look) -> None:
    """Each reference line through what the curves left blank; its label too, or over the oldest points."""
    for line in spec.references:
        row = canvas.row(line.y)
        if row is None:
            continue
        label = f" {line.label} "
        room = range(canvas.width - len(label) - 1, -1, -1)
        place = next((at for at in room if grid.blank(canvas.left + at, canvas.top + row, len(label))), 0)
        labelled = range(place, place + len(label)) if len(label) <= canvas.width else range(0)
        for column in range(canvas.width):
            if column not in labelled:
                grid.put(canvas.left + column, canvas.top + row, _shown("┄", look), line.style, over=False)
        if labelled:
            grid.put(canvas.left + place, canvas.top + row, label, line.style)


def draw_off_scale(grid: Grid, canvas: Canvas, drawn: Drawn, spec: ChartSpec, look: Look) -> None:
    """An arrow at the edge for every point beyond it; the farthest one names its value and where it is."""
    outside = [
        (x, y, side)
        for curve, points in drawn
        if curve.kind != "planned" and spec.sets_scale(curve)
        for x, y in points
        if y is not None and (side := canvas.beyond(y))
    ]
    for side, row, arrow in ((1, 0, "▲"), (-1, canvas.height - 1, "▼")):
        found = [(x, y) for x, y, where in outside if where == side]
        if not found:
            continue
        for x, _ in found:
            column = canvas.column(x)
            if 0 <= column < canvas.width:
                grid.put(canvas.left + column, canvas.top + row, _shown(arrow, look), "off-scale")
        x, y = max(found, key=lambda point: side * point[1])
        text = f"{_shown(arrow, look)} {figure(y, 3)} @{x_label(x, spec.unit)}"
        column = canvas.column(x)
        if column + len(text) > canvas.width and column - len(text) + 1 >= 0:
            text = " ".join([text[2:], text[0]])
            column -= len(text) - 1
        if len(text) <= canvas.width:
            grid.put(canvas.left + max(0, min(column, canvas.width - len(text))), canvas.top + row, text, "off-scale")


def draw_marks(grid: Grid, canvas: Canvas, spec: ChartSpec, look: Look) -> None:
    """Marks on the curves, and those without a value on the row below the curves, or the last one of theirs.

    None hides another one: those of other kinds in the same column stand above it.
    """
    taken: dict[tuple[int, int], str] = {}
    for mark in spec.marks:
        glyph, column = mark.glyph if look.unicode else mark.plain, canvas.column(mark.x)
        if mark.y is not None:
            put_point(grid, canvas, mark.x, mark.y, glyph, mark.style)
        elif 0 <= column < canvas.width:
            row = min(canvas.top + canvas.height, grid.height - 2)
            while taken.setdefault((column, row), glyph) != glyph:
                row -= 1
            grid.put(canvas.left + column, row, glyph, mark.style)


def draw_crosshair(grid: Grid, canvas: Canvas, x: float, look: Look) -> None:
    """A line at `x` where the curves leave room for it."""
    column = canvas.column(x)
    if 0 <= column < canvas.width:
        for row in range(canvas.height):
            grid.put(canvas.left + column, canvas.top + row, _shown("│", look), "crosshair", over=False)
