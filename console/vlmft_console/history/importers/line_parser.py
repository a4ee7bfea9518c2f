"""Splitting a stream of bytes into lines, in bounded memory."""

from __future__ import annotations

from vlmft_core.run_folder.events import MAX_LINE, Record


class LineParser:
    """A `Parser` of one entry a line; `line` makes the records. A line over `MAX_LINE` bytes is rejected unread."""

    def __init__(self) -> None:
        self.rejected = 0
        self.entries = 0
        self._partial = b""
        self._skipping = False

    def feed(self, data: bytes) -> list[Record]:
        *lines, self._partial = (self._partial + data).split(b"\n")
        records: list[Record] = []
        for line in lines:
            if self._skipping:
                self._skipping = False
            elif line and not line.isspace():
                try:
                    if len(line) > MAX_LINE:
                        raise ValueError("too long")
                    records += self.line(line)
                except ValueError:
                    self.rejected += 1
                else:
                    self.entries += 1
        if len(self._partial) > MAX_LINE:
            self.rejected += not self._skipping
            self._skipping = True
        if self._skipping:
            self._partial = b""
        return records

    def rest(self) -> list[Record]:
        return []

    def line(self, line: bytes) -> list[Record]:
        """The records of one line.

        Raises:
            ValueError: it is no entry.
        """
        raise NotImplementedError
