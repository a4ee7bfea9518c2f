"""Plain log: standard output and standard error, which the launching side sends to a file."""

from __future__ import annotations

import contextlib
import io
from typing import Any, TextIO


class Forgiving(io.TextIOBase):
    """A text stream that drops what cannot be written: a training does not end because the disk of its log is full.

    Args:
        stream: where the text goes.
    """

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def write(self, text: str) -> int:
        with contextlib.suppress(OSError):
            self._stream.write(text)
        return len(text)

    def flush(self) -> None:
        with contextlib.suppress(OSError):
            self._stream.flush()

    def fileno(self) -> int:
        return self._stream.fileno()

    def isatty(self) -> bool:
        return self._stream.isatty()

    def __getattr__(self, name: str) -> Any:  # encoding, buffer, …
        return getattr(self._stream, name)
