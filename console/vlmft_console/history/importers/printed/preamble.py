"""Preamble: what a program prints before its first figures. Where it comes once more, the program was started anew."""

from __future__ import annotations

from typing import Final

_KEPT: Final = 60
"""Lines of a preamble that are remembered."""
_FEWEST: Final = 5
"""Different lines that make one: fewer of them may come at the beginning of every epoch."""
_SHARE: Final = 0.6
"""Of its lines, so many come again when it does."""
_LONGEST: Final = 400
_DIGITS: Final = b"0123456789"


class Preamble:
    """Is shown the lines of a log that hold no figures, and told where there are some."""

    def __init__(self) -> None:
        self._lines: set[bytes] = set()
        self._again: set[bytes] = set()
        self._whole = False

    def line(self, line: bytes) -> None:
        """A line without figures. Numbers in it do not count: they may be the time."""
        if self._whole and len(self._lines) < _FEWEST:
            return
        words = line[:_LONGEST].translate(None, _DIGITS).strip()
        if not words:
            return
        if not self._whole:
            if len(self._lines) < _KEPT:
                self._lines.add(words)
        elif words in self._lines:
            self._again.add(words)

    def figures(self) -> bool:
        """A line with figures comes: whether the preamble came once more since the one before."""
        came = self._whole and len(self._again) >= max(_FEWEST, _SHARE * len(self._lines))
        self._whole = True
        self._again.clear()
        return came
