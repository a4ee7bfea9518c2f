"""Parquet rows: how many a file says it holds, read from its footer without a library for the format."""

from __future__ import annotations

from pathlib import Path
from typing import Final

_MAGIC: Final = b"PAR1"
_NUM_ROWS: Final = 3
"""The field of the footer (FileMetaData) that counts rows."""
_TRUE, _FALSE, _BYTE, _DOUBLE, _BINARY, _LIST, _SET, _MAP, _STRUCT = 1, 2, 3, 7, 8, 9, 10, 11, 12
_INTEGERS: Final = (4, 5, 6)


def parquet_rows(file: Path) -> int:
    """The rows of a Parquet file.

    Its footer is a struct in Thrift's compact protocol, which is followed up to the count. Source: parquet-format's
    parquet.thrift and Thrift's thrift-compact-protocol.md.

    Raises:
        OSError: it cannot be read.
        ValueError: it is no Parquet file, or a broken one.
    """
    with file.open("rb") as opened:
        size = opened.seek(0, 2)
        opened.seek(max(0, size - 8))
        tail = opened.read()
        length = int.from_bytes(tail[:4], "little")
        if tail[4:] != _MAGIC or length > size - 12:
            raise ValueError(f"{file}: no footer of a Parquet file")
        opened.seek(size - 8 - length)
        footer = _Compact(opened.read(length))
    try:
        return footer.integer_field(_NUM_ROWS)
    except (IndexError, RecursionError) as error:
        raise ValueError(f"{file}: a broken footer") from error


class _Compact:
    """A reader of Thrift's compact protocol; runs into IndexError at the end of its bytes."""

    def __init__(self, content: bytes) -> None:
        self._content, self._at = content, 0

    def integer_field(self, wanted: int) -> int:
        """An integer among the fields of the struct that begins here."""
        number = 0
        while header := self._byte():
            number, kind = self._field(number, header)
            if number == wanted and kind in _INTEGERS:
                return self._integer()
            self._skip(kind)
        raise ValueError(f"no field {wanted}")

    def _field(self, before: int, header: int) -> tuple[int, int]:
        """Number and type of a field."""
        step, kind = header >> 4, header & 15
        return (before + step if step else self._integer()), kind

    def _skip(self, kind: int) -> None:
        if kind in (_TRUE, _FALSE):  # the type is the value
            return
        if kind in _INTEGERS:
            self._varint()
        elif kind in (_BYTE, _DOUBLE):
            self._at += 1 if kind == _BYTE else 8
        elif kind == _BINARY:
            size = self._varint()
            self._at += size
        elif kind in (_LIST, _SET):
            header = self._byte()
            count = header >> 4
            for _ in range(self._varint() if count == 15 else count):
                self._skip_element(header & 15)
        elif kind == _MAP:
            if count := self._varint():
                kinds = self._byte()
                for _ in range(count):
                    self._skip_element(kinds >> 4)
                    self._skip_element(kinds & 15)
        elif kind == _STRUCT:
            number = 0
            while header := self._byte():
                number, inner = self._field(number, header)
                self._skip(inner)
        else:
            raise ValueError(f"no type {kind}")

    def _skip_element(self, kind: int) -> None:
        """An element of a list or map, where a boolean is a byte."""
        self._skip(_BYTE if kind in (_TRUE, _FALSE) else kind)

    def _integer(self) -> int:
        folded = self._varint()
        return (folded >> 1) ^ -(folded & 1)

    def _varint(self) -> int:
        value = shift = 0
        while True:
            byte = self._byte()
            value |= (byte & 127) << shift
            if byte < 128:
                return value
            shift += 7

    def _byte(self) -> int:
        byte = self._content[self._at]
        self._at += 1
        return byte
