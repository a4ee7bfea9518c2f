"""PNG: a picture as a file that browsers show.

Portable Network Graphics, third edition (W3C, 2025): signature, then the chunks IHDR, IDAT and IEND, each with its
length and CRC-32; each row of pixels begins with its filter, 0 for none.
"""

from __future__ import annotations

import struct
import zlib
from typing import Final

from vlmft_core.run_folder.answers import Picture

_SIGNATURE: Final = b"\x89PNG\r\n\x1a\n"
_EIGHT_BITS, _RED_GREEN_BLUE = 8, 2


def png(picture: Picture) -> bytes:
    """The file's content."""
    row = 3 * picture.width
    rows = b"".join(b"\0" + picture.pixels[row * y : row * (y + 1)] for y in range(picture.height))
    header = struct.pack(">IIBBBBB", picture.width, picture.height, _EIGHT_BITS, _RED_GREEN_BLUE, 0, 0, 0)
    chunks = ((b"IHDR", header), (b"IDAT", zlib.compress(rows, 9)), (b"IEND", b""))
    return _SIGNATURE + b"".join(
        struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data)) for kind, data in chunks
    )
