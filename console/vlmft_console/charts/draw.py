"""Drawing: a chart's description, a view and a size in; a grid of styled characters out."""

from __future__ import annotations

import math
import textwrap
from collections.abc import Sequence
from dataclasses import replace
from typing import NamedTuple

from vlmft_console.charts.axes import draw_axes, draw_crosshair, draw_gaps, draw_marks, draw_off_scale
from vlmft_console.charts.canvas import Canvas
from vlmft_console.charts.curves import draw_curves
from vlmft_console.charts.grid import Grid
from vlmft_console.charts.legend import draw_title
from vlmft_console.charts.raster import DOTS_ACROSS
from vlmft_console.charts.reading import reading_words
from vlmft_console.charts.references import draw_references
from vlmft_console.charts.spec import ChartSpec, Curve, Kind
from vlmft_console.charts.styles import Look
from vlmft_console.charts.ticks import x_label
from vlmft_console.charts.trace import Trace, trace
from vlmft_console.charts.view import View, window
from vlmft_console.charts.y_axis import GUTTER, labelled_axis, unlabelled_axis
from vlmft_console.charts.y_range import needed
from vlmft_core.figures import figure


class Box(NamedTuple):
    """A rectangle of characters."""

    left: int
    top: int
    columns: int
    rows: int

    @property
    def dots(self) -> int:
        """Dots across."""
        return self.columns * DOTS_ACROSS


_LEAST_WIDTH, _LEAST_HEIGHT, _RULED_HEIGHT = 24, 5, 7
_MAIN: tuple[Kind, ...] = ("smooth", "line", "raw", "points", "planned")
"""Kinds of curves, the one that a small chart shows first."""
_DENSE: tuple[Kind, ...] = ("raw", "old")
"""Kinds that are drawn as finely as the dots allow: their ups and downs then fill the space between."""


def draw(
    spec: ChartSpec,
    view: View,
    width: int,
    height: int,
    look: Look | None = None,
    *,
    focused: bool = False,
    printed: bool = False,
) -> Grid:
    """The chart as `height` rows of `width` characters.

    Below 24 x 5 there are no axes: the latest value over a small curve.

    Args:
        spec: what to draw.
        view: which part of it.
        width, height: size in characters; nothing fits into 0.
        look: what the terminal can show; colours and Unicode when None.
        focused: mark the title.
        printed: no key changes what is seen.
    """
    look = look or Look()
    grid = Grid(width, height, unicode=look.unicode)
    if not grid.width or not grid.height:
        return grid
    if width < _LEAST_WIDTH or height < _LEAST_HEIGHT:
        _draw_small(grid, spec, view, look)
        return grid
    box = canvas_box(width, height)
    canvas, traces = _fit_canvas(spec, view, box)
    reading = reading_words(spec, view.cross) if view.cross is not None else ()
    if canvas is None:
        draw_title(grid, spec, look, focused=focused, reading=reading)
        _say(grid, "no values above 0 for a log axis" if _is_log(spec, view) and traces else spec.empty)
        return grid
    draw_curves(grid, canvas, traces, look)
    if view.cross is not None:
        draw_crosshair(grid, canvas, view.cross, look)
    draw_off_scale(grid, canvas, traces, spec, look)
    gaps = draw_gaps(grid, canvas, traces, look)
    unnamed = draw_references(grid, canvas, spec, look)
    draw_axes(grid, canvas, spec, look, ruled=box.top + box.rows + 2 == height)
    draw_marks(grid, canvas, spec, look)
    held = _held(spec, view, canvas, printed)
    draw_title(grid, spec, look, focused=focused, reading=reading, unnamed=unnamed, held=held, gaps=gaps)
    return grid


def canvas_box(width: int, height: int) -> Box:
    """Where the curves are in a chart of this size."""
    if width < _LEAST_WIDTH or height < _LEAST_HEIGHT:
        return Box(0, 0, max(1, width), max(1, height))
    return Box(GUTTER, 1, width - GUTTER, height - 2 - (height >= _RULED_HEIGHT))


def _held(spec: ChartSpec, view: View, canvas: Canvas, printed: bool) -> tuple[str, ...]:
    """What is said of a chart that does not go along with new points, the longest first; nothing of one that does."""
    if view.span is None or view.follows:
        return ()
    if printed:
        first, last = (x_label(x, spec.unit) for x in (math.ceil(canvas.seen[0]), math.floor(canvas.seen[1])))
        return f"only {first}" if first == last else f"only {first}-{last}", "a part"
    low, high = (x_label(max(0.0, edge), spec.unit) for edge in canvas.seen)
    return f"held at {low}-{high}, w follows", f"held at {low}-{high}", "held"


def _is_log(spec: ChartSpec, view: View) -> bool:
    return spec.log if view.log is None else view.log


def _fit_canvas(
    spec: ChartSpec, view: View, box: Box, *, labelled: bool = True
) -> tuple[Canvas | None, Sequence[Trace]]:
    """The canvas, its range of y laid on rows if it is `labelled`; and what is drawn on it."""
    seen = window(spec, view, box.dots)
    if seen is None:
        return None, []
    log = _is_log(spec, view)
    traces = [trace(each, seen, box.dots if each.kind in _DENSE else box.columns, log) for each in spec.curves]
    lines = [(each.curve, each.line) for each in traces]
    span = needed(lines, seen, spec, log, settles=spec.settles and view.span is None)
    if span is None:
        return None, traces
    axis = (labelled_axis if labelled else unlabelled_axis)(*span, box.rows, log)
    return Canvas(box.left, box.top, box.columns, box.rows, seen, axis), traces


def _draw_small(grid: Grid, spec: ChartSpec, view: View, look: Look) -> None:
    """The latest value, and the main curve in what room is left; of curves that are told apart by a tag all."""
    main = next((curve for kind in _MAIN for curve in spec.curves if curve.kind == kind), None)
    tagged = tuple(curve for curve in spec.curves if curve.tag)
    words = _small_words(grid, spec, None if tagged else main)
    grid.put(0, 0, words, "title")
    beside = grid.height == 1
    left, top = (len(words) + 1 if words and beside else 0), int(bool(words) and not beside)
    if main is None or left >= grid.width or top >= grid.height:
        return
    box = Box(left, top, grid.width - left, grid.height - top)
    canvas, traces = _fit_canvas(replace(spec, curves=tagged or (main,)), view, box, labelled=False)
    if canvas:
        draw_curves(grid, canvas, traces, look)


def _small_words(grid: Grid, spec: ChartSpec, main: Curve | None) -> str:
    """Title and headline, or the latest value of the main curve, as much as there is room for; on a single line the
    value alone."""
    last = main.points.last if main else None
    value = figure(last[1]) if last else "" if spec.curves else "-"
    if grid.height == 1:
        return value if len(value) <= grid.width else ""
    wanted = [f"{spec.title} {words}".strip() for words in (spec.headline, value) if words]
    return next((text for text in (*wanted, value or spec.title) if len(text) <= grid.width), "")


def _say(grid: Grid, text: str) -> None:
    """Say something where there is no curve, in the middle, on as many lines as there are."""
    lines = textwrap.wrap(text, grid.width)[: max(1, grid.height - 1)]
    for row, line in enumerate(lines, (grid.height - len(lines) + 1) // 2):
        grid.put((grid.width - len(line)) // 2, row, line, "legend")
