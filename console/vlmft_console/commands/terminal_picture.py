"""Picture on standard output: by kitty's graphics protocol where the terminal has it, in half blocks where it has
colours, not at all elsewhere."""

from __future__ import annotations

import os
import sys
from base64 import b64encode
from collections.abc import Mapping
from typing import Any, Final

from rich.console import Console
from rich.text import Text

from vlmft_console import picture
from vlmft_console.report.png import png
from vlmft_core.run_folder.answers import Picture

PICTURE_ROWS: Final = 16
"""Lines of the terminal that a picture takes, at most."""
_COLUMNS: Final = 64
"""Its characters in a line, at most."""
_FINE: Final = (5, 10)
"""Pixels of a character, across and down, where a terminal draws them: enough to read, and soon sent."""
_KITTY_TERMS: Final = frozenset({"xterm-kitty", "xterm-ghostty"})
_KITTY_PROGRAMS: Final = frozenset({"WezTerm", "ghostty"})
_CHUNK: Final = 4096
"""Bytes of base64 in one escape sequence, as the protocol has it."""


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
    known = os.environ.get("TERM") in _KITTY_TERMS or os.environ.get("TERM_PROGRAM") in _KITTY_PROGRAMS
    return known and not (os.environ.get("TMUX") or os.environ.get("STY"))


def print_picture(image: Mapping[str, Any] | None) -> None:
    """Print a picture (`size`, and `pixels` in hexadecimal) where it can be seen; elsewhere, and for None, nothing."""
    console = Console(highlight=False)
    if image is None or not draws(console):
        return
    width, height = image["size"]
    shown = Picture(width, height, bytes.fromhex(image["pixels"]))
    if has_kitty():
        sys.stdout.write(kitty(shown))
        sys.stdout.flush()
    else:
        console.print(half_blocks(shown), end="")


def half_blocks(shown: Picture) -> Text:
    """A picture with two pixels in each character."""
    drawn = Text()
    for line in picture.half_blocks(shown):
        for style in line:
            drawn.append(picture.HALF_BLOCK, style)
        drawn.append("\n")
    return drawn


def kitty(shown: Picture) -> str:
    """The escape sequences that draw a picture, and a line break: a PNG file in parts (`f=100`), drawn at once (`a=T`),
    so many characters wide (`c`), and no answer from the terminal (`q=2`), as kitty describes its protocol."""
    data = b64encode(png(shown)).decode("ascii")
    parts = [data[start : start + _CHUNK] for start in range(0, len(data), _CHUNK)]
    columns = -(-shown.width // _FINE[0])
    begin = f"a=T,f=100,q=2,c={columns},"
    sent = [
        f"\x1b_G{begin if number == 0 else ''}m={int(number + 1 < len(parts))};{part}\x1b\\"
        for number, part in enumerate(parts)
    ]
    return "".join(sent) + "\n"
