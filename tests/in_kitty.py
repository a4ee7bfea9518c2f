"""A terminal that draws pictures where kitty's placeholders stand: what it was told to keep, what it shows of it."""

from __future__ import annotations

import io
import re
import unicodedata
from base64 import b64decode
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from PIL import Image

from tests.in_terminal import Terminal, terminal

KITTY = {"TERM": "xterm-kitty", "COLORTERM": "truecolor"}
ASKED = b"\x1b[>q"
_COMMAND = re.compile(rb"\x1b_G([^;\x1b]*)(?:;([^\x1b]*))?\x1b\\")
_CELL = re.compile("\U0010eeee(.)(.)")
_FUSED = (
    "\u0300\u0301\u0302\u0303\u0304\u0306\u0307\u0308\u0309\u030a\u030b\u030c\u030f\u0311\u0313\u0314\u0342\u0653\u0654"
)
_SIGNS = [
    sign
    for sign in map(chr, range(0x300, 0x744))
    if (unicodedata.category(sign), unicodedata.combining(sign), unicodedata.decomposition(sign)) == ("Mn", 230, "")
    and sign not in _FUSED
]
"""What stands for 0, 1, 2, …: signs above a letter in the order of Unicode, but those that become one with a letter."""


def named(name: str) -> dict[bytes, bytes]:
    """What a terminal of this name answers: to the question for it, and to what every terminal answers."""
    return {ASKED: f"\x1bP>|{name}\x1b\\\x1b[?62;c".encode()}


@dataclass(frozen=True)
class Seen:
    """A picture on the screen."""

    number: int
    top: int
    left: int
    columns: int
    rows: int


class Told:
    """What a program has told the terminal about pictures."""

    def __init__(self, written: bytes) -> None:
        self.kept: dict[int, Image.Image] = {}
        """By number."""
        self.sizes: dict[int, tuple[int, int]] = {}
        """Columns and rows over which each is drawn."""
        self.sent: list[int] = []
        """Numbers in the order in which pictures were sent."""
        data, begun = b"", {}
        for keys, part in _COMMAND.findall(written):
            command = dict(key.split("=") for key in keys.decode().split(","))
            assert command.pop("q") == "2"
            assert len(part) <= 4096
            more = command.pop("m", "0") == "1"
            if command:
                begun = command
            data += part
            if more:
                continue
            self._take(begun, data)
            data = b""

    def _take(self, keys: dict[str, str], data: bytes) -> None:
        number = int(keys.pop("i"))
        if keys == {"a": "d", "d": "I"}:
            del self.kept[number]
            return
        self.sizes[number] = int(keys.pop("c")), int(keys.pop("r"))
        if "f" in keys:
            assert keys == {"a": "T", "f": "100", "U": "1", "p": "1"}
            assert number not in self.kept
            self.kept[number] = Image.open(io.BytesIO(b64decode(data, validate=True)))
            self.sent.append(number)
        else:
            assert keys == {"a": "p", "U": "1", "p": "1"}
            assert number in self.kept


@contextmanager
def kitty(folder: Path, *arguments: str, **options: object) -> Iterator[Terminal]:
    """The console in a terminal that answers as kitty does."""
    with terminal(folder, *arguments, **{"env": KITTY, "answers": named("kitty(0.41.1)")} | options) as console:
        yield console


def seen(console: Terminal) -> list[Seen]:
    """The pictures that stand on the screen whole: every cell over which they are drawn, each at its place."""
    console.shown()
    told = Told(console.written)
    cells = [
        (colour, _SIGNS.index(found[1]), _SIGNS.index(found[2]), (y, x))
        for y, x, text, colour in console.cells()
        if (found := _CELL.fullmatch(text))
    ]
    pictures = []
    for number in told.kept:
        places = {(row, column): place for colour, row, column, place in cells if colour == f"{number:06x}"}
        columns, rows = told.sizes[number]
        top, left = min(places.values(), default=(0, 0))
        if places == {(y, x): (top + y, left + x) for y in range(rows) for x in range(columns)}:
            pictures.append(Seen(number, top, left, columns, rows))
    return pictures
