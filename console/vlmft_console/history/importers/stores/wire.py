"""Wire format of protocol buffers: fields by number, without the schema's library.

protobuf's own parser is as quick, but handing each of a message's fields to Python costs it more than this does.

Source: https://protobuf.dev/programming-guides/encoding/
"""

from __future__ import annotations

from collections.abc import Iterator

VARINT, FIXED64, BYTES, FIXED32 = 0, 1, 2, 5

Field = tuple[int, int, int | bytes, int]
"""Number, wire type, value, and where it ends. The value is an unsigned integer, or the bytes of everything else."""


def fields(message: bytes) -> Iterator[Field]:
    """Every field of a message.

    Raises:
        ValueError: the message is cut off, or none at all.
    """
    at, length = 0, len(message)
    while at < length:
        found = field(message, at)
        yield found
        at = found[3]


def field(message: bytes, at: int) -> Field:
    """The field that begins at a place.

    Raises:
        ValueError: it is cut off, or none at all.
    """
    key, at = varint(message, at)
    kind = key & 7
    if kind == VARINT:
        value, at = varint(message, at)
        return key >> 3, kind, value, at
    if kind == BYTES:
        size, at = varint(message, at)
    elif kind in (FIXED64, FIXED32):
        size = 8 if kind == FIXED64 else 4
    else:
        raise ValueError(f"wire type {kind}")
    end = at + size
    if end > len(message):
        raise ValueError("cut off")
    return key >> 3, kind, message[at:end], end


def varint(message: bytes, at: int) -> tuple[int, int]:
    """An integer of seven bits a byte, and where it ends.

    Raises:
        ValueError: it is cut off, or longer than 64 bits.
    """
    try:
        byte = message[at]
        if byte < 0x80:  # most are
            return byte, at + 1
        value, shift = byte & 0x7F, 7
        while shift < 70:
            at += 1
            byte = message[at]
            value |= (byte & 0x7F) << shift
            if byte < 0x80:
                return value & (2**64 - 1), at + 1
            shift += 7
    except IndexError:
        raise ValueError("cut off") from None
    raise ValueError("an endless integer")


def signed(value: int) -> int:
    """A varint as the int64 it stands for."""
    return value - 2**64 if value >= 2**63 else value
