"""Picture: a small copy of an image, as it stands in a run folder.

Its rows are those of a PNG file (W3C, third edition, 2025), so that no byte changes on the way into one: each begins
with its filter, 0 for none, then comes a byte for each pixel, the number of its colour, or without a palette three,
red, green and blue; all of them deflated.

In JSON: `size` in pixels, `palette` (hexadecimal, six digits a colour) and `rows` (base64). Runs of older versions have
`size` and `pixels`, six hexadecimal digits each.
"""

from __future__ import annotations

import zlib
from base64 import b64decode, b64encode
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

LONG_SIDE, SHORT_SIDE = 384, 288
"""Longest sides that are kept, in pixels: enough to read the labels of a chart."""
COLOURS: Final = 256
"""Of a palette at most. With it a picture takes 150 KB at most, whatever it shows."""


@dataclass(frozen=True)
class Picture:
    """A small copy of an image. What its rows hold fits its size and its palette."""

    width: int
    height: int
    rows: bytes
    palette: bytes = b""
    """Red, green and blue of each colour; empty where the rows have them."""

    @classmethod
    def of(cls, width: int, height: int, pixels: bytes, palette: bytes = b"") -> Picture:
        """The picture of these pixels, row by row: numbers of colours, or without a palette red, green and blue."""
        row = len(pixels) // height
        rows = b"".join(b"\0" + pixels[row * y : row * (y + 1)] for y in range(height))
        return cls(width, height, zlib.compress(rows, 9), palette)

    def pixels(self) -> bytes:
        """Red, green and blue, a byte each, row by row."""
        rows = zlib.decompress(self.rows)
        row = len(rows) // self.height
        stored = b"".join(rows[row * y + 1 : row * (y + 1)] for y in range(self.height))
        if not self.palette:
            return stored
        mixed = bytearray(3 * len(stored))
        for channel in range(3):
            mixed[channel::3] = stored.translate(self.palette[channel::3].ljust(256, b"\0"))
        return bytes(mixed)


def picture_line(picture: Picture) -> dict[str, Any]:
    """The picture in JSON."""
    return {
        "size": [picture.width, picture.height],
        "palette": picture.palette.hex(),
        "rows": b64encode(picture.rows).decode("ascii"),
    }


def read_picture(value: Mapping[str, Any]) -> Picture:
    """The picture that JSON has. No more is inflated than its size asks for.

    Raises:
        ValueError, TypeError, KeyError: it is none, or damaged.
    """
    width, height = value["size"]
    if type(width) is not int or type(height) is not int or min(width, height) < 1:
        raise ValueError("size")
    if max(width, height) > LONG_SIDE or min(width, height) > SHORT_SIDE:
        raise ValueError("size")
    if "pixels" in value:
        pixels = bytes.fromhex(value["pixels"])
        if len(pixels) != 3 * width * height:
            raise ValueError("pixels")
        return Picture.of(width, height, pixels)
    palette, rows = bytes.fromhex(value["palette"]), b64decode(value["rows"], validate=True)
    if len(palette) % 3 or len(palette) > 3 * COLOURS:
        raise ValueError("palette")
    row = 1 + width * (1 if palette else 3)
    inflated = _inflated(rows, row * height)
    if any(inflated[::row]):
        raise ValueError("filter")
    if palette and inflated.translate(None, bytes(range(len(palette) // 3))):
        raise ValueError("colour")
    return Picture(width, height, rows, palette)


def _inflated(data: bytes, size: int) -> bytes:
    """What was deflated.

    Raises:
        ValueError: it is damaged, or has another size.
    """
    inflating = zlib.decompressobj()
    try:
        found = inflating.decompress(data, size + 1)
    except zlib.error as error:
        raise ValueError(str(error)) from None
    if len(found) != size or not inflating.eof or inflating.unused_data:
        raise ValueError("rows")
    return found
