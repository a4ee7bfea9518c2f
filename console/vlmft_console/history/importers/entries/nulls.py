"""Nulls: losses that are null in entries that tell their rate, or NaN as the empty cells of a table are.

JSON has no NaN: some programs write null instead.
"""

from __future__ import annotations

from typing import Final

_SURE: Final = 3
"""Of them in a row, after as many losses, with which it is said."""
NULLS: Final = "the loss is null in entries from {} on, which is how some programs write NaN: these are not judged"
BLANKS: Final = "all losses are NaN in rows from {} on, as empty cells of a table are: these are not judged"


class Nulls:
    """Is shown a training's entries that would have a loss, and have none."""

    def __init__(self) -> None:
        self._count = self._longest = self._points = 0
        self._since: int | None = None
        self._said = False

    def message(self, step: int | None, points: int, text: str = NULLS) -> str:
        """What is to be said, once, where there are more of them in a row than a log has that tells its loss rarely.

        Args:
            step: of the entry.
            points: losses that the training has had.
            text: what it is, with a place for the step.
        """
        if points != self._points:
            self._longest = max(self._longest, self._count)
            self._points, self._count, self._since = points, 0, step
        self._count += 1
        if self._said or points < _SURE or self._count < max(_SURE, 2 * self._longest):
            return ""
        self._said = True
        return text.format("some step" if self._since is None else f"step {self._since:,}")
