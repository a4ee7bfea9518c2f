"""The end of a plain text log, and what is added to it."""

from __future__ import annotations

import os
import stat
from pathlib import Path

FIRST_BYTES = 1 << 18
"""Of a log that is longer at the first look, only this much of its end is read."""
LONGEST_LINE = 4000
"""Characters kept of a line."""


class TextTail:
    """Reads the lines added to a text file since the last look; bounded memory, whatever the file holds.

    A progress bar that redraws itself with carriage returns counts as one line, as it stood last.

    Args:
        path: the log; it may not exist yet.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.pending = ""
        """The last line, while its end has not been written."""
        self._inode = -1
        self._offset = 0
        self._partial = b""

    def read(self) -> list[str]:
        """Lines completed since the last call, without their ends. A file replaced by another is read anew.

        A file that cannot be read, or is none, has no lines.
        """
        try:
            # O_NONBLOCK: opening a FIFO that nobody writes to would wait for ever
            descriptor = os.open(self.path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
        except OSError:
            return []
        try:
            info = os.fstat(descriptor)
            if not stat.S_ISREG(info.st_mode):
                return []
            if info.st_ino != self._inode or info.st_size < self._offset:
                self._inode, self._offset, self._partial = info.st_ino, 0, b""
            begin = max(self._offset, info.st_size - FIRST_BYTES)
            jumped = begin > self._offset
            data = os.pread(descriptor, info.st_size - begin, begin)
            self._offset = begin + len(data)
        finally:
            os.close(descriptor)
        if jumped:  # into the middle of a line
            self._partial, data = b"", data.partition(b"\n")[2]
        *lines, self._partial = (self._partial + data).split(b"\n")
        self._partial = self._partial[-LONGEST_LINE * 4 :]
        self.pending = _shown(self._partial)
        return [_shown(line) for line in lines]


def _shown(line: bytes) -> str:
    """What a terminal would have left of a line with carriage returns in it, cut to a length fit for a screen."""
    text = line.rstrip(b"\r").rpartition(b"\r")[2].decode(errors="replace")
    return text if len(text) <= LONGEST_LINE else text[:LONGEST_LINE] + "…"
