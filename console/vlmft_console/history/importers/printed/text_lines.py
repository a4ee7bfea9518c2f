"""Text lines: the lines of a printed log, bars that are drawn over one another among them, and its last one.

A last line that nothing ends yet may be a bar, a line without its newline, or one that is being written.
"""

from __future__ import annotations

from collections import deque
from typing import Final

from vlmft_console.history.importers.printed.line_source import prefix_of
from vlmft_console.history.importers.printed.torn_end import whole_part

LONGEST_LINE: Final = 64 << 10
"""Bytes of a line; what follows in it is not looked at."""
_LAST: Final = 8
"""Lines that tell how long the numbers of one like them are."""


class TextLines:
    """Is fed the bytes of a log, cut anywhere."""

    def __init__(self) -> None:
        self._partial = b""
        self._prefix = b""
        """What a launcher put before the line that the partial one is drawn over."""
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
        *lines, partial = self._pieces(text[: len(text) - held].replace(b"\x08", b"\r"))
        self._partial = partial[:LONGEST_LINE] + b"\r" * held
        if lines:
            if self._told and lines[0] == self._told:
                del lines[0]
            self._told = b""
        self._torn = b""
        return lines

    def _pieces(self, text: bytes) -> list[bytes]:
        """Lines, and bars that are drawn over one another in one: a launcher tells the rank before the first alone.

        The last is not complete yet, and is left as it is.
        """
        if not self._prefix and b"\r" not in text:
            return text.split(b"\n")
        pieces: list[bytes] = []
        prefix = self._prefix
        for line in text.split(b"\n"):
            drawn = line.split(b"\r")
            self._prefix = prefix or (prefix_of(drawn[0]) if len(drawn) > 1 else b"")
            pieces += [each if prefix_of(each) else self._prefix + each for each in drawn] if self._prefix else drawn
            prefix = b""
        pieces[-1] = drawn[-1]
        return pieces

    def tells(self, line: bytes) -> None:
        """A line has told figures."""
        self._last.append(line)

    def rest(self) -> bytes:
        """The last line, without a number at its end that seems to be cut off; b"" if there is none that is new."""
        line = self._partial.removesuffix(b"\r")
        if line and not prefix_of(line):
            line = self._prefix + line
        if line in (b"", self._told, self._torn):
            return b""
        whole = whole_part(line, self._last)
        if whole == line:
            self._told = line
        else:
            self._torn = line
        return whole
