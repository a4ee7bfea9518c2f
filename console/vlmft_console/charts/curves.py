"""Curves on the canvas: which characters each kind is made of, and how it stays apart from the others."""

from __future__ import annotations

from collections.abc import Sequence

from vlmft_console.charts.canvas import Canvas
from vlmft_console.charts.grid import Grid
from vlmft_console.charts.raster import raster
from vlmft_console.charts.spec import Curve, Kind
from vlmft_console.charts.styles import Look
from vlmft_console.charts.trace import Trace

_PLAIN: dict[Kind, str] = {"raw": ".", "smooth": "*", "line": "*", "points": "-", "planned": "-", "old": ","}
_LEGEND: dict[Kind, str] = {"raw": "⣿", "smooth": "━", "line": "━", "points": "●", "planned": "╌", "old": "⠒"}
_ORDER: tuple[Kind, ...] = ("old", "raw", "planned", "points", "line", "smooth")
"""Later kinds go over earlier ones. An average goes over the line of the evals: their points show where that is."""
_LINES: tuple[Kind, ...] = ("points", "line", "smooth")
"""Kinds that are thin lines: where two meet in a character, it shows the dots of both."""
_POINT, _PLAIN_POINT = "●", "o"
_DASH = 3
"""Of so many columns a dashed curve leaves the last one out."""
_ROOM = 3
"""Columns a point needs to be shown as one."""
_TURN = 3
"""Columns after which the line of the evals and the raw values beneath it take turns. Each turn costs bytes."""
_BRAILLE = range(0x2800, 0x2900)


def draw_curves(grid: Grid, canvas: Canvas, traces: Sequence[Trace], look: Look) -> None:
    """Draw every curve over those before it, apart from what the kinds say; points and tags over all of them."""
    lines: set[tuple[int, int]] = set()
    for kind in _ORDER:
        for each in traces:
            if each.curve.kind == kind:
                _draw(grid, canvas, each, look, lines)
    for each in traces:
        if each.curve.kind == "points":
            _put_points(grid, canvas, each, look)
    tagged: set[tuple[int, int]] = set()
    for each in traces:
        if each.curve.tag:
            _put_tag(grid, canvas, each, tagged)


def legend_glyph(curve: Curve, look: Look) -> str:
    """The character that stands for the curve in the legend."""
    if curve.tag:
        return curve.tag
    if not look.unicode:
        return _PLAIN_POINT if curve.kind == "points" else _PLAIN[curve.kind]
    return "▀" if _solid(curve, look) else _LEGEND[curve.kind]


def _draw(grid: Grid, canvas: Canvas, drawn: Trace, look: Look, lines: set[tuple[int, int]]) -> None:
    """Draw one curve.

    Args:
        lines: characters that thin lines are in; this curve's are added.
    """
    curve = drawn.curve
    dots = canvas.dots(drawn.line)
    if not any(y is not None for _, y in dots):
        return
    rows = raster(dots, canvas.width, canvas.height, _marker(curve, look), curve.kind != "old")
    for row, text in enumerate(rows, canvas.top):
        for column, character in enumerate(text.rstrip()):
            if character == " " or (curve.kind == "planned" and column % _DASH == _DASH - 1):
                continue
            place = canvas.left + column
            if (place, row) in lines:
                character = _merged(grid.text[row][place], character)
            elif curve.kind == "points" and column // _TURN % 2 and not grid.blank(place, row):
                continue  # the raw values beneath are seen in turn
            grid.put(place, row, character, curve.style_name)
            if curve.kind in _LINES:
                lines.add((place, row))


def _merged(under: str, over: str) -> str:
    """The dots of both characters, where both are made of dots."""
    if ord(under) in _BRAILLE and ord(over) in _BRAILLE:
        return chr(ord(under) | ord(over))
    return over


def put_point(grid: Grid, canvas: Canvas, x: float, y: float | None, glyph: str, style: str) -> None:
    """Put one character where a point falls, if it is seen."""
    row = None if y is None else canvas.row(y)
    column = canvas.column(x)
    if row is not None and 0 <= column < canvas.width:
        grid.put(canvas.left + column, canvas.top + row, glyph, style)


def _put_points(grid: Grid, canvas: Canvas, drawn: Trace, look: Look) -> None:
    """The points of a curve, as far as they are apart."""
    last = -_ROOM
    for x, y in drawn.points:
        column = canvas.column(x)
        if y is not None and column >= last + _ROOM:
            put_point(grid, canvas, x, y, _POINT if look.unicode else _PLAIN_POINT, drawn.curve.style_name)
            last = column


def _put_tag(grid: Grid, canvas: Canvas, drawn: Trace, tagged: set[tuple[int, int]]) -> None:
    """The tag at the last point that is seen; left of tags that stand there already, whose places are `tagged`."""
    for x, y in reversed(drawn.points):
        row, column = None if y is None else canvas.row(y), canvas.column(x)
        if row is not None and 0 <= column < canvas.width:
            place = next((each for each in range(column, -1, -1) if (each, row) not in tagged), column)
            tagged.add((place, row))
            grid.put(canvas.left + place, canvas.top + row, drawn.curve.tag, drawn.curve.style_name)
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
