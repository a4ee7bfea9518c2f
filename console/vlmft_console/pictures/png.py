"""PNG: a picture as a file that browsers show.

Portable Network Graphics, third edition (W3C, 2025): signature, then the chunks IHDR, PLTE where there is a palette,
IDAT and IEND, each with its length and CRC-32.
"""

from __future__ import annotations

import struct
import zlib
from typing import Final

from vlmft_core.run_folder.picture import Picture

_SIGNATURE: Final = b"\x89PNG\r\n\x1a\n"
_EIGHT_BITS, _RED_GREEN_BLUE, _NUMBERED = 8, 2, 3


def png(picture: Picture) -> bytes:
    """The file's content."""
    colours = _NUMBERED if picture.palette else _RED_GREEN_BLUE
    header = struct.pack(">IIBBBBB", picture.width, picture.height, _EIGHT_BITS, colours, 0, 0, 0)
    palette = [(b"PLTE", picture.palette)] if picture.palette else []
    chunks = [(b"IHDR", header), *palette, (b"IDAT", picture.rows), (b"IEND", b"")]
    return _SIGNATURE + b"".join(
        struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data)) for kind, data in chunks
    )
