"""Half blocks: a small picture with two pixels in each character; and the same in fewer pixels."""

from __future__ import annotations

from collections.abc import Iterator
from functools import lru_cache
from typing import Final

from rich.color import Color
from rich.style import Style

from vlmft_core.run_folder.picture import Picture

HALF_BLOCK: Final = "▀"
"""Its colour is the upper pixel, its background the lower one."""


def half_blocks(picture: Picture) -> Iterator[list[Style]]:
    """The styles of the characters, line by line. Under the last of an odd number of rows there is no background."""
    pixels, row = picture.pixels(), 3 * picture.width
    for start in range(0, len(pixels), 2 * row):
        places = range(start, start + row, 3)
        yield [_style(pixels[place : place + 3], pixels[place + row : place + row + 3]) for place in places]


@lru_cache(maxsize=4096)
def _style(above: bytes, below: bytes) -> Style:
    return Style(color=Color.from_rgb(*above), bgcolor=Color.from_rgb(*below) if below else None)


def size_within(picture: Picture, columns: int, rows: int) -> tuple[int, int]:
    """The picture's width and height within so many columns and rows of pixels, in its shape, never enlarged."""
    share = min(1.0, columns / picture.width, rows / picture.height)
    return max(1, int(picture.width * share)), max(1, int(picture.height * share))


def scaled(picture: Picture, columns: int, rows: int) -> Picture:
    """The picture within so many columns and rows of pixels; each pixel is the mean of those that it stands for."""
    width, height = size_within(picture, columns, rows)
    if (width, height) == (picture.width, picture.height):
        return picture
    across = [(x * picture.width // width, (x + 1) * picture.width // width) for x in range(width)]
    down = [(y * picture.height // height, (y + 1) * picture.height // height) for y in range(height)]
    pixels, row = picture.pixels(), 3 * picture.width
    means = bytearray()
    for top, bottom in down:
        sums = list(map(sum, zip(*(pixels[row * y : row * (y + 1)] for y in range(top, bottom)), strict=True)))
        for left, right in across:
            count = (right - left) * (bottom - top)
            means += bytes(sum(sums[3 * left + channel : 3 * right : 3]) // count for channel in range(3))
    return Picture.of(width, height, bytes(means))
