"""Curves on the canvas: which characters each kind is made of, and how it stays apart from the others."""

from __future__ import annotations

from collections.abc import Sequence

from vlmft_console.charts.canvas import Canvas
from vlmft_console.charts.grid import Grid
from vlmft_console.charts.raster import raster
from vlmft_console.charts.spec import Curve, Kind, Point
from vlmft_console.charts.styles import Look

_PLAIN: dict[Kind, str] = {"raw": ".", "smooth": "*", "line": "*", "points": "-", "planned": "-", "old": ","}
_LEGEND: dict[Kind, str] = {"raw": "⣿", "smooth": "━", "line": "━", "points": "●", "planned": "╌", "old": "⠒"}
_POINT, _PLAIN_POINT = "●", "o"
_DASH = 3
"""Of so many columns a dashed curve leaves the last one out."""
_ROOM = 3
"""Columns a point needs to be shown as one."""

Drawn = Sequence[tuple[Curve, Sequence[Point]]]


def draw_curves(grid: Grid, canvas: Canvas, drawn: Drawn, look: Look) -> None:
    """Draw every curve over those before it."""
    for curve, points in drawn:
        _draw(grid, canvas, curve, points, look)
    for curve, points in drawn:
        if curve.tag:
            _put_tag(grid, canvas, curve, points)


def legend_glyph(curve: Curve, look: Look) -> str:
    """The character that stands for the curve in the legend."""
    if curve.tag:
        return curve.tag
    if not look.unicode:
        return _PLAIN_POINT if curve.kind == "points" else _PLAIN[curve.kind]
    return "▀" if _solid(curve, look) else _LEGEND[curve.kind]


def _draw(grid: Grid, canvas: Canvas, curve: Curve, points: Sequence[Point], look: Look) -> None:
    dots = canvas.dots(points)
    if not any(y is not None for _, y in dots):
        return
    joined = curve.kind != "old"
    rows = raster(dots, canvas.width, canvas.height, _marker(curve, look), joined)
    for row, text in enumerate(rows):
        for column, character in enumerate(text):
            if character != " " and not (curve.kind == "planned" and column % _DASH == _DASH - 1):
                grid.put(canvas.left + column, canvas.top + row, character, curve.style_name)
    if curve.kind == "points" and len(points) * _ROOM <= canvas.width:
        for x, y in points:
            put_point(grid, canvas, x, y, _POINT if look.unicode else _PLAIN_POINT, curve.style_name)


def put_point(grid: Grid, canvas: Canvas, x: float, y: float | None, glyph: str, style: str) -> None:
    """Put one character where a point falls, if it is seen."""
    row = None if y is None else canvas.row(y)
    column = canvas.column(x)
    if row is not None and 0 <= column < canvas.width:
        grid.put(canvas.left + column, canvas.top + row, glyph, style)


def _put_tag(grid: Grid, canvas: Canvas, curve: Curve, points: Sequence[Point]) -> None:
    for x, y in reversed(points):
        if y is not None and canvas.row(y) is not None:
            put_point(grid, canvas, x, y, curve.tag, curve.style_name)
            return


def _marker(curve: Curve, look: Look) -> str:
    if not look.unicode:
        return curve.tag or _PLAIN[curve.kind]
    if not look.color and curve.tag:
        return curve.tag
    return "hd" if _solid(curve, look) else "braille"


def _solid(curve: Curve, look: Look) -> bool:
    """Without colours the bright curves are drawn in blocks, the others in dots."""
    return not look.color and curve.kind in ("smooth", "line")
