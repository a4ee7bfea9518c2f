"""CRC-32C in the masked form that TFRecord files store.

Source of the mask: https://www.tensorflow.org/tutorials/load_data/tfrecord
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from google_crc32c import value

checksum: Final[Callable[[bytes], int]] = value
"""The Castagnoli checksum."""
MASK: Final = 0xA282EAD8


def masked(data: bytes) -> int:
    """The Castagnoli checksum, rotated right by 15 bits, plus a constant, in 32 bits."""
    crc = checksum(data)
    return (((crc >> 15) | (crc << 17)) + MASK) & 0xFFFFFFFF
