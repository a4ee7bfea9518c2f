"""Text tail: the end of a plain text log, and the lines added to it since the last look."""

from __future__ import annotations

from pathlib import Path

from vlmft_core.errors import VlmftError
from vlmft_core.run_folder.growing import GrowingFile

LONGEST_LINE = 4000
"""Characters kept of a line."""


class TextTail:
    """Follows one text file; bounded memory, whatever the file holds.

    Where more has come than a chunk of `growing` holds, only the last of it is read. A progress bar that redraws
    itself with carriage returns counts as one line, as it stood last.

    Args:
        path: the log; it may not exist yet.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.pending = ""
        """The last line, while its end has not been written."""
        self._file = GrowingFile(path)
        self._partial = b""

    def read(self) -> list[str]:
        """Lines completed since the last call, without their ends. A file replaced by another is read anew.

        A file that cannot be read, or is none, has no lines.
        """
        expected = self._file.offset
        try:
            data = self._file.chunk(newest=True)
        except VlmftError:
            return []
        begin = self._file.offset - len(data)
        if begin != expected:
            self._partial = b""
            if begin:  # in the middle of a line
                data = data.partition(b"\n")[2]
        *lines, self._partial = (self._partial + data).split(b"\n")
        self._partial = self._partial[-LONGEST_LINE * 4 :]
        self.pending = _shown(self._partial)
        return [_shown(line) for line in lines]


def _shown(line: bytes) -> str:
    """What a terminal would have left of a line with carriage returns in it, cut to a length fit for a screen."""
    text = line.rstrip(b"\r").rpartition(b"\r")[2].decode(errors="replace")
    return text if len(text) <= LONGEST_LINE else text[:LONGEST_LINE] + "…"
