"""Raster: curves as characters, drawn by plotext. Everything that knows plotext is here."""

from __future__ import annotations

import re
from functools import lru_cache
from importlib import import_module
from threading import Lock
from types import ModuleType

_ESCAPES = re.compile("\x1b\\[[0-9;]*m")
_DRAWING = Lock()

Dots = tuple[tuple[int, int | None], ...]
"""Places on a grid of 2 x 4 dots a character, from the lower left; None is a gap."""

DOTS_ACROSS, DOTS_DOWN = 2, 4


@lru_cache(maxsize=64)
def raster(dots: Dots, width: int, height: int, marker: str, joined: bool) -> tuple[str, ...]:
    """One curve as `height` rows of `width` characters, the top row first; blank where it is not.

    A live chart asks again every second, and mostly for what it had: the answer is kept.

    Args:
        dots: in order; those outside the grid are not drawn, lines towards them end at its edge.
        width, height: size in characters, at least 1.
        marker: `braille`, `hd` (quadrants of a character) or one character.
        joined: whether lines join the dots.
    """
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
