"""CRC-32C in the masked form that TFRecord files store.

Source of the mask: https://www.tensorflow.org/tutorials/load_data/tfrecord
"""

from __future__ import annotations

from google_crc32c import value


def masked(data: bytes) -> int:
    """The Castagnoli checksum, rotated right by 15 bits, plus a constant, in 32 bits."""
    crc: int = value(data)
    return (((crc >> 15) | (crc << 17)) + 0xA282EAD8) & 0xFFFFFFFF
