"""Arrow rows: how many a file of record batches holds, read from their headers without a library for the format."""

from __future__ import annotations

import struct
from pathlib import Path
from typing import Final

_MAGIC: Final = b"ARROW1\0\0"
"""What a file of the format with a footer begins with; the streaming format begins with a message."""
_CONTINUES: Final = -1
_RECORD_BATCH: Final = 3
_HEADER_TYPE, _HEADER, _BODY_LENGTH = 1, 2, 3
"""Fields of a Message."""
_LENGTH: Final = 0
"""Field of a RecordBatch."""
MOST_MESSAGES: Final = 200_000
"""Messages that are looked at in a file: a second's worth. `datasets` writes a thousand rows into each."""


def arrow_rows(file: Path) -> int:
    """The rows of an Arrow file, of either of its formats.

    Each message is a FlatBuffers table with a header and the length of the body behind it, which is passed over.
    Source: Arrow's format/Columnar.rst, Message.fbs, and FlatBuffers' internals.md.

    Raises:
        OSError: it cannot be read.
        ValueError: it is no Arrow file, a broken one, or one of too many messages.
    """
    rows = 0
    with file.open("rb") as opened:
        size = opened.seek(0, 2)
        opened.seek(0)
        if opened.read(len(_MAGIC)) != _MAGIC:
            opened.seek(0)
        try:
            for number in range(MOST_MESSAGES):
                begin = opened.read(4)
                if not begin and number:  # a stream may end without saying so
                    return rows
                (length,) = struct.unpack("<i", begin)
                if length == _CONTINUES:  # older files lack it
                    (length,) = struct.unpack("<i", opened.read(4))
                if length == 0:
                    return rows
                if length < 0 or opened.tell() + length > size:
                    raise ValueError(f"{file}: a broken message")
                message = _Table.root(opened.read(length))
                body = message.integer(_BODY_LENGTH, "q")
                if body < 0 or opened.tell() + body > size:
                    raise ValueError(f"{file}: a broken message")
                opened.seek(body, 1)
                if message.integer(_HEADER_TYPE, "B") == _RECORD_BATCH:
                    rows += max(0, message.table(_HEADER).integer(_LENGTH, "q"))
        except struct.error as error:
            raise ValueError(f"{file}: a broken message") from error
    raise ValueError(f"{file}: more than {MOST_MESSAGES:,} messages")


class _Table:
    """A table of FlatBuffers: numbers and further tables by the numbers of their fields."""

    def __init__(self, content: bytes, at: int) -> None:
        self._content, self._at = content, at

    @classmethod
    def root(cls, content: bytes) -> _Table:
        (at,) = struct.unpack_from("<I", content)
        return cls(content, at)

    def integer(self, field: int, kind: str) -> int:
        """A number of `struct`'s kind; 0 where the table does not have the field."""
        place = self._place(field)
        number: int = struct.unpack_from(f"<{kind}", self._content, place)[0] if place else 0
        return number

    def table(self, field: int) -> _Table:
        place = self._place(field)
        (offset,) = struct.unpack_from("<I", self._content, place)
        return _Table(self._content, place + offset)

    def _place(self, field: int) -> int:
        """Where a field's value is; 0 where there is none."""
        (back,) = struct.unpack_from("<i", self._content, self._at)
        places = self._at - back
        if not 0 <= places <= len(self._content):
            raise struct.error("a table's description is elsewhere")
        (length,) = struct.unpack_from("<H", self._content, places)
        entry = 4 + 2 * field
        if entry + 2 > length:
            return 0
        (offset,) = struct.unpack_from("<H", self._content, places + entry)
        return self._at + offset if offset else 0
