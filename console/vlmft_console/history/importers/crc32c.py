"""CRC-32C (Castagnoli), and the masked form that TFRecord files store.

Sources: RFC 3720, appendix B.4; the mask: https://www.tensorflow.org/tutorials/load_data/tfrecord
"""

from __future__ import annotations

from typing import Final

_POLYNOMIAL: Final = 0x82F63B78


def _row(byte: int) -> int:
    for _ in range(8):
        byte = (byte >> 1) ^ (_POLYNOMIAL if byte & 1 else 0)
    return byte


_TABLE: Final = tuple(_row(byte) for byte in range(256))


def crc32c(data: bytes) -> int:
    """The checksum; about 100 ns a byte, so for short records only."""
    crc, table = 0xFFFFFFFF, _TABLE
    for byte in data:
        crc = table[(crc ^ byte) & 0xFF] ^ (crc >> 8)
    return crc ^ 0xFFFFFFFF


def masked(data: bytes) -> int:
    """The checksum as TFRecord stores it: rotated right by 15 bits, plus a constant."""
    crc = crc32c(data)
    return (((crc >> 15) | (crc << 17)) + 0xA282EAD8) & 0xFFFFFFFF
