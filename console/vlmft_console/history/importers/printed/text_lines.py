"""Text lines: the lines of a printed log, bars that are drawn over one another among them, and its last one.

A last line that nothing ends yet may be a bar, a line without its newline, or one that is being written.
"""

from __future__ import annotations

from collections import deque
from typing import Final

from vlmft_console.history.importers.printed.torn_end import whole_part

LONGEST_LINE: Final = 64 << 10
"""Bytes of a line; what follows in it is not looked at."""
_LAST: Final = 8
"""Lines that tell how long the numbers of one like them are."""


class TextLines:
    """Is fed the bytes of a log, cut anywhere."""

    def __init__(self) -> None:
        self._partial = b""
        self._told = b""
        self._torn = b""
        self._last: deque[bytes] = deque(maxlen=_LAST)

    @property
    def torn(self) -> bool:
        """Whether the last line seems to be cut off within a number."""
        return bool(self._torn)

    def feed(self, data: bytes) -> list[bytes]:
        """The lines that are complete with these bytes, but for one that `rest` has given already."""
        text = (self._partial + data).replace(b"\r\n", b"\n")
        held = text.endswith(b"\r")  # half of a Windows line's end, perhaps
        *lines, partial = text[: len(text) - held].replace(b"\r", b"\n").replace(b"\x08", b"\n").split(b"\n")
        self._partial = partial[:LONGEST_LINE] + b"\r" * held
        if lines:
            if self._told and lines[0] == self._told:
                del lines[0]
            self._told = b""
        self._torn = b""
        return lines

    def tells(self, line: bytes) -> None:
        """A line has told figures."""
        self._last.append(line)

    def rest(self) -> bytes:
        """The last line, without a number at its end that seems to be cut off; b"" if there is none that is new."""
        line = self._partial.removesuffix(b"\r")
        if line in (b"", self._told, self._torn):
            return b""
        whole = whole_part(line, self._last)
        if whole == line:
            self._told = line
        else:
            self._torn = line
        return whole
