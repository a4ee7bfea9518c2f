"""Wrapping: a text in few lines, with a sign where that is not all of it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.cells import cell_len, set_cell_size
from rich.text import Text

if TYPE_CHECKING:
    from rich.console import Console


def wrapped(text: str, console: Console, width: int, most: int, sign: str) -> list[str]:
    """Safe text in at most `most` lines of `width` cells; the last one ends in `sign` where that is not all."""
    lines = [line.plain.rstrip() for line in Text(text).wrap(console, width)]
    if len(lines) > most:
        lines[most - 1 :] = [set_cell_size(lines[most - 1], width - cell_len(sign)).rstrip() + sign]
    return lines
