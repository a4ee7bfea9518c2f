"""Picture file: charts as the content of an SVG or a PNG file, and a name for it."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from vlmft_console.charts.spec import ChartSpec
from vlmft_console.charts.view import View
from vlmft_console.report.chart_file import chart_svg
from vlmft_core.errors import VlmftError

ENDINGS: Final = (".svg", ".png")
_LONGEST: Final = 200
"""Bytes of a file's name, before what is added to it."""


def picture(charts: Sequence[tuple[ChartSpec, View]], name: str, ending: str) -> str | bytes:
    """The content of a file with charts below each other.

    Args:
        charts: what to draw, and which part of it.
        name: of the run. Foreign text.
        ending: one of `ENDINGS`.

    Raises:
        VlmftError: there is nothing to draw, or what draws it is not installed.
    """
    svg = chart_svg(charts, name)
    if ending == ".svg":
        return svg
    try:
        from vlmft_console.report.chart_png import png_of  # Pillow comes with what trains
    except ImportError:
        raise VlmftError(
            "PNG is drawn by Pillow, which is not installed here", "take SVG, or pip install pillow"
        ) from None
    return png_of(svg)


def free_file(folder: Path, name: str, ending: str) -> Path:
    """A path in a folder where nothing is yet: `NAME.svg`, else `NAME-2.svg`, …

    Args:
        folder: where.
        name: foreign text; what cannot be in a file's name is left out.
        ending: one of `ENDINGS`.
    """
    letters = "".join(letter if letter.isalnum() or letter in "-_." else "-" for letter in name).strip("-.")
    plain = letters.encode()[:_LONGEST].decode(errors="ignore") or "chart"
    number = 1
    while os.path.lexists(path := folder / f"{plain}{f'-{number}' if number > 1 else ''}{ending}"):
        number += 1
    return path
