"""SVG chart: drawn from the same description as the terminal's charts."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

from vlmft_console.charts.spec import ChartSpec, Curve
from vlmft_console.charts.ticks import x_label, x_ticks
from vlmft_console.charts.view import View, window
from vlmft_console.charts.y_range import YRange, fit
from vlmft_console.history.column import Point
from vlmft_console.sanitize import sanitize
from vlmft_core.figures import figure

WIDTH, HEIGHT = 720, 260
_LEFT, _RIGHT, _TOP, _BOTTOM = 62, 12, 12, 34
_COLUMNS = WIDTH - _LEFT - _RIGHT
_ROWS = HEIGHT - _TOP - _BOTTOM
_LETTER = 13.0
"""Pixels across a letter of a label where it is written largest, on a phone."""
_FEW = 60
"""Points up to this many are drawn as dots too, where a curve is of points."""


def svg(spec: ChartSpec) -> str:
    """The chart as one `<svg>` element, coloured by the classes of the report's style sheet; empty without data.

    What lies off the scale is named at the edge, value and place, as in the terminal.
    """
    parts = elements(spec, View())
    if not parts:
        return ""
    opening = f'<svg viewBox="0 0 {WIDTH} {HEIGHT}" role="img" aria-label="{_text(spec.title)}">'
    return "\n".join([opening, *parts, "</svg>"])


def elements(spec: ChartSpec, view: View) -> list[str]:
    """The elements of that picture: `line`, `text`, `polyline` and `circle`; none without data.

    Args:
        spec: the chart.
        view: which part of it.
    """
    seen, log = window(spec, view, _COLUMNS), spec.log if view.log is None else view.log
    if seen is None:
        return []
    drawn = [(curve, curve.points.decimate(*seen, _COLUMNS)) for curve in spec.curves]
    y_range = fit(drawn, seen, spec, log)
    if y_range is None:
        return []
    frame = _Frame(seen, y_range)
    return [
        *_axes(frame, spec),
        *(_reference(frame, line.y, line.label, line.style) for line in spec.references if frame.holds(line.y)),
        *(part for curve, points in drawn for part in _curve(frame, curve, points)),
        *_marks(frame, spec),
        *_off_scale(frame, spec, drawn),
    ]


def legend(spec: ChartSpec) -> str:
    """What the lines and marks of the chart stand for, as a line of HTML."""
    entries = [(curve.style_name, "━━", curve.label) for curve in spec.curves]
    entries += [(mark.style, mark.glyph, mark.legend) for mark in spec.marks if mark.legend]
    return " ".join(
        f'<span class="{_text(style)}"><b>{_text(glyph)}</b> {_text(label)}</span>'
        for style, glyph, label in dict.fromkeys(entries)
    )


class _Frame:
    """From values to places in the picture."""

    def __init__(self, seen: tuple[float, float], y_range: YRange) -> None:
        self.seen, self.y_range = seen, y_range

    def x(self, value: float) -> float:
        return _LEFT + (value - self.seen[0]) / (self.seen[1] - self.seen[0]) * _COLUMNS

    def y(self, value: float) -> float | None:
        """Held to the edge where it is off the scale; None for what a log axis does not have."""
        share = self.y_range.share(value)
        return None if share is None else _TOP + (1 - min(1.0, max(0.0, share))) * _ROWS

    def holds(self, value: float) -> bool:
        share = self.y_range.share(value)
        return share is not None and 0 <= share <= 1


def _axes(frame: _Frame, spec: ChartSpec) -> list[str]:
    parts = []
    for share, label in frame.y_range.ticks(5):
        y = _TOP + (1 - share) * _ROWS
        parts.append(f'<line class="grid" x1="{_LEFT}" x2="{WIDTH - _RIGHT}" y1="{y:.1f}" y2="{y:.1f}"/>')
        parts.append(f'<text class="tick" x="{_LEFT - 6}" y="{y + 4:.1f}" text-anchor="end">{_text(label)}</text>')
    for value, label in x_ticks(*frame.seen, 8, spec.unit):
        place = f'x="{frame.x(value):.1f}" y="{HEIGHT - _BOTTOM + 16}"'
        anchor = _anchor(frame.x(value), label)
        parts.append(f'<text class="tick x" {place} text-anchor="{anchor}">{_text(label)}</text>')
    parts.append(
        f'<text class="tick unit" x="{WIDTH - _RIGHT}" y="{HEIGHT - 4}" text-anchor="end">{_text(spec.unit)}</text>'
    )
    return parts


def _anchor(x: float, label: str) -> str:
    """How a label of x stands at its place: within the picture, and not among the labels of y."""
    half = _LETTER * len(label) / 2
    return "start" if x - half < _LEFT - _LETTER else "end" if x + half > WIDTH else "middle"


def _reference(frame: _Frame, value: float, label: str, style: str) -> str:
    y, right = frame.y(value) or 0.0, WIDTH - _RIGHT
    return (
        f'<line class="ref {style}" x1="{_LEFT}" x2="{right}" y1="{y:.1f}" y2="{y:.1f}"/>'
        f'<text class="tick {style}" x="{right}" y="{y - 3:.1f}" text-anchor="end">{_text(label)}</text>'
    )


def _curve(frame: _Frame, curve: Curve, points: Sequence[Point]) -> list[str]:
    style = f"curve {curve.kind} {curve.style_name}"
    pieces: list[list[str]] = [[]]
    dots = []
    for x, value in points:
        y = None if value is None else frame.y(value)
        if y is None:
            pieces.append([])
            continue
        pieces[-1].append(f"{frame.x(x):.1f},{y:.1f}")
        if curve.kind == "points" and len(points) <= _FEW:
            dots.append(f'<circle class="{style}" cx="{frame.x(x):.1f}" cy="{y:.1f}" r="2.5"/>')
    lines = [f'<polyline class="{style}" points="{" ".join(piece)}"/>' for piece in pieces if len(piece) > 1]
    lone = [piece[0].split(",") for piece in pieces if len(piece) == 1 and not dots]
    return [*lines, *dots, *(f'<circle class="{style}" cx="{x}" cy="{y}" r="1.5"/>' for x, y in lone)]


def _marks(frame: _Frame, spec: ChartSpec) -> list[str]:
    parts = []
    for mark in spec.marks:
        if not frame.seen[0] <= mark.x <= frame.seen[1]:
            continue
        y = frame.y(mark.y) if mark.y is not None else None
        place = HEIGHT - _BOTTOM - 3 if y is None else y + 5
        what = f"{mark.legend} at {x_label(mark.x, spec.unit)}"
        parts.append(
            f'<text class="mark {mark.style}" x="{frame.x(mark.x):.1f}" y="{place:.1f}" text-anchor="middle">'
            f"{_text(mark.glyph)}<title>{_text(what)}</title></text>"
        )
    return parts


def _off_scale(frame: _Frame, spec: ChartSpec, drawn: Sequence[tuple[Curve, Sequence[Point]]]) -> list[str]:
    """The highest and the lowest value that the range leaves out, named."""
    beyond = [(y, x) for _, points in drawn for x, y in points if y is not None and not frame.holds(y)]
    beyond = [(y, x) for y, x in beyond if frame.y_range.share(y) is not None]
    above = max(((y, x) for y, x in beyond if (frame.y_range.share(y) or 0) > 1), default=None)
    below = min(((y, x) for y, x in beyond if (frame.y_range.share(y) or 0) < 0), default=None)
    parts = []
    for found, glyph, place in ((above, "▲", _TOP + 9), (below, "▼", HEIGHT - _BOTTOM - 3)):
        if found:
            text = f"{glyph} {figure(found[0])} @{x_label(found[1], spec.unit)}"
            x = min(max(frame.x(found[1]), _LEFT + 50), WIDTH - _RIGHT - 60)
            parts.append(f'<text class="off-scale" x="{x:.1f}" y="{place}" text-anchor="middle">{_text(text)}</text>')
    return parts


def _text(text: str) -> str:
    return escape(sanitize(text))
