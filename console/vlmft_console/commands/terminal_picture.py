"""Picture on standard output: by kitty's graphics protocol where the terminal has it, in half blocks where it has
colours, not at all elsewhere."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from typing import Any, Final

from rich.console import Console
from rich.text import Text

from vlmft_console.app.terminal import KITTY_TERMS
from vlmft_console.pictures import half_blocks as blocks
from vlmft_console.pictures import kitty
from vlmft_core.run_folder.picture import Picture

PICTURE_ROWS: Final = 16
"""Lines of the terminal that a picture takes, at most."""
_COLUMNS: Final = 64
"""Its characters in a line, at most."""
_FINE: Final = (5, 10)
"""Pixels of a character, across and down, where a terminal draws them: enough to read, and soon sent."""
_KITTY_PROGRAMS: Final = frozenset({"WezTerm", "ghostty"})


def drawn_pixels() -> tuple[int, int]:
    """Columns and rows of pixels that a picture on standard output can have; none where it cannot be seen there."""
    console = Console()
    if not draws(console):
        return 0, 0
    columns = max(1, min(_COLUMNS, console.width))
    across, down = _FINE if has_kitty() else (1, 2)
    return columns * across, PICTURE_ROWS * down


def draws(console: Console) -> bool:
    """Whether pictures can be drawn: a terminal with colours and block characters."""
    colours = console.is_terminal and console.color_system is not None and not console.no_color
    return colours and console.encoding.startswith("utf")


def has_kitty() -> bool:
    """Whether the terminal draws pictures itself, by its name; tmux and screen do not pass them on."""
    known = os.environ.get("TERM") in KITTY_TERMS or os.environ.get("TERM_PROGRAM") in _KITTY_PROGRAMS
    return known and not (os.environ.get("TMUX") or os.environ.get("STY"))


def print_picture(image: Mapping[str, Any] | None) -> None:
    """Print a picture (`size`, and `pixels` in hexadecimal) where it can be seen; elsewhere, and for None, nothing."""
    console = Console(highlight=False)
    if image is None or not draws(console):
        return
    width, height = image["size"]
    shown = Picture.of(width, height, bytes.fromhex(image["pixels"]))
    if has_kitty():
        sys.stdout.write(kitty.drawn(shown, -(-shown.width // _FINE[0])))
        sys.stdout.flush()
    else:
        console.print(half_blocks(shown), end="")


def half_blocks(shown: Picture) -> Text:
    """A picture with two pixels in each character."""
    drawn = Text()
    for line in blocks.half_blocks(shown):
        for style in line:
            drawn.append(blocks.HALF_BLOCK, style)
        drawn.append("\n")
    return drawn
