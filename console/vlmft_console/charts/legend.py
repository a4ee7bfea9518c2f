"""Legend and title, the first row of a chart: what its curves, marks and lines are, or what the crosshair reads."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from vlmft_console.charts.curves import legend_glyph
from vlmft_console.charts.grid import Grid
from vlmft_console.charts.spec import ChartSpec, ReferenceLine
from vlmft_console.charts.styles import Look, shown

_LEAST_MISSED = ("old", "reference", "caution", "best", "raw", "crosshair", "points", "stop")
"""Styles whose entries go first where there is no room for all, in this order; a bright curve's goes last."""

_SHORTEST_NAME = 9
"""Characters that a run's name keeps."""


@dataclass(frozen=True)
class Entry:
    """One entry of the legend, with a text for where there is little room."""

    glyph: str
    style: str
    text: str
    short: str
    name: bool = False
    """Whether it is a run's name, which may be cut in its middle: names often differ at their ends."""

    @property
    def width(self) -> int:
        return len(self.glyph) + len(self.text) + 2

    @property
    def rank(self) -> int:
        return _LEAST_MISSED.index(self.style) if self.style in _LEAST_MISSED else len(_LEAST_MISSED)


def draw_title(
    grid: Grid,
    spec: ChartSpec,
    look: Look,
    *,
    focused: bool,
    reading: Sequence[str] = (),
    unnamed: Sequence[tuple[str, ReferenceLine]] = (),
    held: Sequence[str] = (),
    gaps: str = "",
) -> None:
    """Title and headline on the left, the legend on the right; or what the crosshair reads.

    Args:
        reading: pieces of text; where they do not fit beside the title they take its place, as many as there is room
            for.
        unnamed: reference lines for whose label the chart has no room, each with its character.
        held: what is said of a chart that does not go along with new points: in full, and shorter and shorter. The
            headline, which is of the newest point, makes room for it.
        gaps: the sign of values that were not finite, where there are any.
    """
    style = "title-focused" if focused else "title"
    if focused:
        grid.put(0, 0, shown("▸", look), style)
    if reading:
        title, sign, read = _beside_reading(spec.title, held, list(reading), grid.width)
    else:
        (title, sign), read = _beside_title(spec, held, grid.width), ""
    column = 1
    for text, each in ((title, style), (sign, "caution"), (read, "crosshair")):
        grid.put(column, 0, text, each)
        column += len(text)
    entries = [] if reading else _fitting(_entries(spec, look, unnamed, gaps), grid.width - column)
    place = grid.width - sum(entry.width for entry in entries)
    for entry in entries:
        grid.put(place, 0, f" {entry.glyph}", entry.style)
        grid.put(place + 1 + len(entry.glyph), 0, shown(f" {entry.text}", look), "legend")
        place += entry.width


def _beside_title(spec: ChartSpec, held: Sequence[str], width: int) -> tuple[str, str]:
    """Title and headline, and what is said of a chart that is held, as much of it as there is room for."""
    whole = f"{spec.title} {spec.headline}".rstrip() + " "
    if not held:
        return whole, ""
    for title in (whole, f"{spec.title} "):
        for sign in held:
            if 1 + len(title) + len(sign) < width:
                return title, f" {sign} "
    return f"{spec.title[: max(0, width - len(held[-1]) - 3)]} ", f" {held[-1]} "


def _beside_reading(title: str, held: Sequence[str], parts: list[str], width: int) -> tuple[str, str, str]:
    """Title, the shortest sign of a chart that is held, and what the crosshair reads, without what has no room."""
    sign = f" {held[-1]} " if held else ""
    if len(title) + 1 + len(sign) + len("  ".join(parts)) < width:
        return f"{title} ", sign, "  ".join(parts)
    while parts and len(sign) + len("  ".join(parts)) >= width:
        parts.pop()
    return "", sign, "  ".join(parts)


def _entries(spec: ChartSpec, look: Look, unnamed: Sequence[tuple[str, ReferenceLine]], gaps: str) -> list[Entry]:
    curves = [
        Entry(legend_glyph(each, look), each.style_name, each.label, each.label, bool(each.tag)) for each in spec.curves
    ]
    marks = [
        Entry(each.glyph if look.unicode else each.plain, each.style, each.legend, each.short or each.legend)
        for each in spec.marks
    ]
    lines = [Entry(glyph, line.style, line.label, line.label) for glyph, line in unnamed]
    if len(curves) == 1 and not marks and not spec.curves[0].tag:
        curves = []  # a single curve is what the title says
    missing = [Entry(gaps, "not-finite", "not finite", "not finite")] if gaps else []
    return [entry for entry in dict.fromkeys([*missing, *curves, *marks, *lines]) if entry.text]


def _fitting(entries: list[Entry], room: int) -> list[Entry]:
    """The entries that fit: shortened first, then without those that are missed least."""
    if sum(entry.width for entry in entries) > room:
        entries = [replace(entry, text=entry.short) for entry in entries]
    names = [entry for entry in entries if entry.name]
    if names and sum(entry.width for entry in entries) > room:
        spare = room - sum(entry.width for entry in entries if not entry.name)
        most = max(_SHORTEST_NAME, spare // len(names) - len(names[0].glyph) - 2)
        entries = [replace(entry, text=_cut(entry.text, most)) if entry.name else entry for entry in entries]
    while entries and sum(entry.width for entry in entries) > room:
        least = min(reversed(entries), key=lambda entry: entry.rank)
        entries = [entry for entry in entries if entry is not least]
    return entries


def _cut(name: str, most: int) -> str:
    """The name in at most so many characters."""
    tail = (most - 1) // 2
    return name if len(name) <= most else f"{name[: most - 1 - tail]}…{name[-tail:]}"
