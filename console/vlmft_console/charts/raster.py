"""Raster: curves as characters, drawn by plotext. Everything that knows plotext is here."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import lru_cache
from importlib import import_module
from threading import Lock
from types import ModuleType

_ESCAPES = re.compile("\x1b\\[[0-9;]*m")
_DRAWING = Lock()

Dots = tuple[tuple[int, int | None], ...]
"""Places on a grid of 2 x 4 dots a character, from the lower left; None is a gap."""

DOTS_ACROSS, DOTS_DOWN = 2, 4
_STRETCH = 16 * DOTS_ACROSS
"""Dots across that are drawn together."""


@lru_cache(maxsize=64)
def raster(dots: Dots, width: int, height: int, marker: str, joined: bool) -> tuple[str, ...]:
    """One curve as `height` rows of `width` characters, the top row first; blank where it is not.

    A live chart asks again every second, and mostly for what it had: the answer is kept. Where a point is added to a
    line of dots, only the stretch it is in is drawn anew.

    Args:
        dots: in order; those outside the grid are not drawn, lines towards them end at its edge.
        width, height: size in characters, at least 1.
        marker: `braille`, `hd` (quadrants of a character) or one character.
        joined: whether lines join the dots.
    """
    if not joined or marker != "braille":
        return _drawn(dots, width, height, marker, joined)
    rows = [[0] * width for _ in range(height)]
    for left, stretch in _stretches(dots):
        columns = 1 + max(x for x, _ in stretch) // DOTS_ACROSS
        for row, text in zip(rows, _drawn(stretch, columns, height, marker, joined), strict=True):
            for column, character in enumerate(text, left):
                if character != " " and 0 <= column < width:
                    row[column] |= ord(character)
    return tuple("".join(chr(code) if code else " " for code in row) for row in rows)


def _stretches(dots: Dots) -> Iterator[tuple[int, Dots]]:
    """The line in parts that share their ends: the column each begins at, and its dots counted from there."""
    start = 0
    for end in range(1, len(dots) + 1):
        if end == len(dots) or dots[end][0] // _STRETCH != dots[start][0] // _STRETCH:
            part = dots[start : end + 1]
            left = min(x for x, _ in part) // DOTS_ACROSS
            yield left, tuple((x - left * DOTS_ACROSS, y) for x, y in part)
            start = end


@lru_cache(maxsize=1024)
def _drawn(dots: Dots, width: int, height: int, marker: str, joined: bool) -> tuple[str, ...]:
    with _DRAWING:  # plotext draws on one figure for the whole program
        plotext = _plotext()
        plotext.clear_data()
        plotext.plot_size(width, height)
        plotext.xlim(0, DOTS_ACROSS * width - 1)
        plotext.ylim(0, DOTS_DOWN * height - 1)
        draw = plotext.plot if joined else plotext.scatter
        draw([x for x, _ in dots], [y for _, y in dots], marker=marker)
        text = str(plotext.build())
    rows = _ESCAPES.sub("", text).replace("\u2800", " ").split("\n")[:height]
    return tuple(row.ljust(width)[:width] for row in rows)


def prepare() -> None:
    """Import plotext now, from a thread that has nothing better to do, so that the first chart need not."""
    with _DRAWING:
        _plotext()


@lru_cache(maxsize=1)
def _plotext() -> ModuleType:
    """plotext with a bare figure. Imported at the first chart: it takes 70 ms."""
    plotext = import_module("plotext")
    plotext.clear_figure()
    plotext.limit_size(False, False)  # else the terminal's size would cap the chart's
    plotext.theme("clear")
    plotext.frame(False)
    plotext.xticks([])
    plotext.yticks([])
    return plotext
