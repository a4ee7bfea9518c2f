"""Kitty: pictures by the graphics protocol of that terminal, which Ghostty and others have too.

https://sw.kovidgoyal.net/kitty/graphics-protocol/: a picture is a PNG file (`f=100`) in parts of base64, and is drawn
where the cursor is, or wherever placeholders stand (`U=1`): characters that name a cell of it, in a colour that is its
number. No answer is wanted (`q=2`), for an answer would be typed into whatever reads the terminal.
"""

from __future__ import annotations

from base64 import b64encode
from typing import Final

from rich.color import Color, ColorType

from vlmft_console.pictures.png import png
from vlmft_core.run_folder.picture import Picture

_CHUNK: Final = 4096
"""Bytes of base64 in one escape sequence."""
_PLACEHOLDER: Final = "\U0010eeee"
_DIACRITICS: Final = bytes.fromhex(
    "0305 030D 030E 0310 0312 033D 033E 033F 0346 034A 034B 034C 0350 0351 0352 0357 035B 0363 0364 0365 0366 "
    "0367 0368 0369 036A 036B 036C 036D 036E 036F 0483 0484 0485 0486 0487 0592 0593 0594 0595 0597 0598 0599 "
    "059C 059D 059E 059F 05A0 05A1 05A8 05A9 05AB 05AC 05AF 05C4 0610 0611 0612 0613 0614 0615 0616 0617 0657 "
    "0658 0659 065A 065B 065D 065E 06D6 06D7 06D8 06D9 06DA 06DB 06DC 06DF 06E0 06E1 06E2 06E4 06E7 06E8 06EB "
    "06EC 0730 0732 0733 0735 0736 073A 073D 073F 0740 0741 0743"
).decode("utf-16-be")
"""Combining signs that stand for 0 to 95, the first of the protocol's."""
MOST_CELLS: Final = len(_DIACRITICS)
"""Columns, and rows, that placeholders can name."""
COLOURS: Final = tuple(Color.from_triplet(Color.from_ansi(number).get_truecolor()) for number in range(196, 202))
"""Colours that tell pictures apart: each exactly one of 256, so that it stays itself in a terminal that has no more."""


def drawn(picture: Picture, columns: int) -> str:
    """The sequences that draw a picture at the cursor, so many characters wide, and a line break."""
    return f"{_sent(picture, f'c={columns}')}\n"


def held(picture: Picture, number: int, columns: int, rows: int) -> str:
    """The sequences that have the terminal keep a picture, to be drawn over so many cells where placeholders stand."""
    return _sent(picture, f"U=1,i={number},p=1,c={columns},r={rows}")


def resized(number: int, columns: int, rows: int) -> str:
    """The sequence that has a picture that is kept drawn over so many cells."""
    return f"\x1b_Ga=p,q=2,U=1,i={number},p=1,c={columns},r={rows}\x1b\\"


def dropped(number: int) -> str:
    """The sequence that has the terminal keep a picture no longer."""
    return f"\x1b_Ga=d,q=2,d=I,i={number}\x1b\\"


def number_of(colour: Color) -> int:
    """The number of the picture that placeholders of this colour show: the colour as it reaches the terminal."""
    if colour.type is ColorType.EIGHT_BIT and colour.number is not None:
        return colour.number
    red, green, blue = colour.get_truecolor()
    return red << 16 | green << 8 | blue


def placeholder(row: int, column: int) -> str:
    """What is printed where this cell of a picture shall be seen. It names both, so that it needs none beside it."""
    return _PLACEHOLDER + _DIACRITICS[row] + _DIACRITICS[column]


def _sent(picture: Picture, keys: str) -> str:
    data = b64encode(png(picture)).decode("ascii")
    parts = [data[start : start + _CHUNK] for start in range(0, len(data), _CHUNK)]
    first = f"a=T,f=100,q=2,{keys}"
    return "".join(
        f"\x1b_G{'q=2' if number else first},m={int(number + 1 < len(parts))};{part}\x1b\\"
        for number, part in enumerate(parts)
    )
