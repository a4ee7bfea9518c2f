"""Reference lines: a horizontal line through what the curves left blank, and a label that hides nothing."""

from __future__ import annotations

from vlmft_console.charts.canvas import Canvas
from vlmft_console.charts.grid import Grid
from vlmft_console.charts.spec import ChartSpec, ReferenceLine
from vlmft_console.charts.styles import Look, shown

Unnamed = list[tuple[str, ReferenceLine]]
"""Lines without a label, each with the character it is drawn with."""


def draw_references(grid: Grid, canvas: Canvas, spec: ChartSpec, look: Look) -> Unnamed:
    """Draw the lines that are on the scale, or name the nearest of those that are not where none is.

    A label stands in its line, or just above or below it, where nothing is drawn.

    Returns:
        Lines that found no place for their label.
    """
    placed = [(line, row) for line in spec.references if (row := canvas.row(line.y)) is not None]
    if not placed:
        return _name_nearest(grid, canvas, spec, look)
    taken = {row for _, row in placed}
    unnamed: Unnamed = []
    for line, row in placed:
        beside = [each for each in (row - 1, row + 1) if each not in taken]
        if not _put_label(grid, canvas, f" {line.label} ", [row, *beside], line.style):
            unnamed.append((shown("┄", look), line))
    for line, row in placed:
        for column in range(canvas.width):
            grid.put(canvas.left + column, canvas.top + row, shown("┄", look), line.style, over=False)
    return unnamed


def _name_nearest(grid: Grid, canvas: Canvas, spec: ChartSpec, look: Look) -> Unnamed:
    """At the edge beyond which all the lines are: the first of them."""
    above = min((line for line in spec.references if canvas.beyond(line.y) > 0), key=lambda line: line.y, default=None)
    below = max((line for line in spec.references if canvas.beyond(line.y) < 0), key=lambda line: line.y, default=None)
    unnamed: Unnamed = []
    bottom = canvas.height - 1
    for line, arrow, rows in ((above, "▲", (0, 1)), (below, "▼", (bottom, bottom - 1))):
        if line and not _put_label(grid, canvas, f"{shown(arrow, look)} {line.label} ", list(rows), line.style):
            unnamed.append((shown(arrow, look), line))
    return unnamed


def _put_label(grid: Grid, canvas: Canvas, text: str, rows: list[int], style: str) -> bool:
    """Put a label as far right as it hides nothing, in the first of the rows that has room; whether one has."""
    for row in rows:
        if 0 <= row < canvas.height:
            for column in range(canvas.width - len(text), -1, -1):
                if grid.blank(canvas.left + column, canvas.top + row, len(text)):
                    grid.put(canvas.left + column, canvas.top + row, text, style)
                    return True
    return False
