"""Picture: a small image as half blocks, two pixels in each character; and the same in fewer pixels."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from rich.color import Color
from rich.style import Style

from vlmft_core.run_folder.answers import Picture

HALF_BLOCK: Final = "▀"
"""Its colour is the upper pixel, its background the lower one."""


def half_blocks(picture: Picture) -> Iterator[list[Style]]:
    """The styles of the characters, line by line. Under the last of an odd number of rows there is no background."""
    for y in range(0, picture.height, 2):
        below = y + 1 < picture.height
        yield [
            Style(color=_colour(picture, x, y), bgcolor=_colour(picture, x, y + 1) if below else None)
            for x in range(picture.width)
        ]


def _colour(picture: Picture, x: int, y: int) -> Color:
    return Color.from_rgb(*picture.pixels[3 * (y * picture.width + x) :][:3])


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
    pixels = bytearray()
    for top, bottom in down:
        lines = [picture.pixels[3 * picture.width * y :][: 3 * picture.width] for y in range(top, bottom)]
        for left, right in across:
            count = (right - left) * (bottom - top)
            pixels += bytes(
                sum(sum(line[3 * left + channel : 3 * right : 3]) for line in lines) // count for channel in range(3)
            )
    return Picture(width, height, bytes(pixels))
