"""Chart file: charts as an SVG file of its own, from the points of the log and not from a screen's cells."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from typing import Final

from vlmft_console.charts.spec import ChartSpec
from vlmft_console.charts.styles import RUNS_ON_LIGHT
from vlmft_console.charts.view import View
from vlmft_console.report.svg import HEIGHT, WIDTH, elements
from vlmft_console.sanitize import sanitize
from vlmft_core.errors import VlmftError

PAPER: Final = "#ffffff"
INK: Final = {
    "": "#1c2430",
    "tick": "#4a5360",
    "grid": "#dde2e8",
    "ref": "#4a5360",
    "raw": "#6f92bb",
    "smooth": "#0b6bcb",
    "line": "#0b6bcb",
    "points": "#b35c00",
    "planned": "#6b7685",
    "old": "#8591a0",
    "stop": "#c62828",
    "caution": "#8a6d00",
    "best": "#1b7f3b",
    "off-scale": "#c62828",
    **{f"run-{number}": color for number, color in enumerate(RUNS_ON_LIGHT, 1)},
}
"""The colour of each class of elements; of several classes that of the last one here."""
_ABOVE, _LINE, _LETTER = 28, 18, 7.0
"""Pixels over a chart for its title, of a line of its legend, and across a letter of it."""


def chart_svg(charts: Sequence[tuple[ChartSpec, View]], name: str) -> str:
    """Charts below each other, each with its title and legend, as a file that browsers and editors show.

    Args:
        charts: what to draw, and which part of it.
        name: of the run. Foreign text.

    Raises:
        VlmftError: there is nothing to draw.
    """
    body: list[str] = []
    top = 0
    for spec, view in charts:
        parts = elements(spec, view)
        if not parts:
            continue
        body.append(
            f'<text class="title" x="12" y="{top + 20}">{_text(f"{spec.title} {spec.headline}".rstrip())}</text>'
        )
        entries, top = _legend(spec, top + _ABOVE)
        body += [*entries, f'<g transform="translate(0,{top})">', *parts, "</g>"]
        top += HEIGHT + 12
    if not body:
        raise VlmftError("there is nothing to draw")
    return "\n".join(
        [
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {top}" width="{WIDTH}" height="{top}">',
            f"<title>{_text(name)}</title><style>{_style()}</style>",
            f'<rect width="{WIDTH}" height="{top}" fill="{PAPER}"/>',
            *body,
            "</svg>\n",
        ]
    )


def _legend(spec: ChartSpec, top: int) -> tuple[list[str], int]:
    """What curves and marks stand for, from `top` on, and where that ends."""
    entries = [(curve.style_name, curve.tag, curve.label) for curve in spec.curves if curve.label]
    entries += [(mark.style, mark.glyph, mark.legend) for mark in spec.marks if mark.legend]
    parts, left, bottom = [], 12.0, top + 10
    for style, glyph, label in dict.fromkeys(entries):
        text = sanitize(label)
        width = 34 + _LETTER * len(text)
        if left + width > WIDTH and left > 12:
            left, bottom = 12.0, bottom + _LINE
        if glyph:
            parts.append(f'<text class="mark {style}" x="{left:.0f}" y="{bottom}">{_text(glyph)}</text>')
        else:
            place = f'x1="{left:.0f}" x2="{left + 18:.0f}" y1="{bottom - 4}" y2="{bottom - 4}"'
            parts.append(f'<line class="curve {style}" {place}/>')
        parts.append(f'<text class="tick" x="{left + 22:.0f}" y="{bottom}">{_text(text)}</text>')
        left += width
    return parts, bottom + 8 if parts else top


def _style() -> str:
    strokes = "".join(f".{name}{{color:{color}}}" for name, color in INK.items() if name)
    return (
        "text{font:11px system-ui,sans-serif;fill:currentColor}.title{font-weight:bold;font-size:14px}"
        "line,polyline{fill:none;stroke:currentColor}polyline{stroke-width:1.6}.raw{stroke-width:1}"
        ".planned{stroke-dasharray:4 4}.ref{stroke-dasharray:2 4}circle{fill:currentColor}" + strokes
    )


def _text(text: str) -> str:
    return escape(sanitize(text))
