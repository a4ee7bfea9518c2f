"""Repeats: entries that say once more what the one before said, as two writers of one log make them."""

from __future__ import annotations

import math
from typing import Final

_Train = tuple[int | None, float | None, float | None, float | None, float | None]
"""Step, epoch, loss, learning rate, norm of the gradient."""
_Eval = tuple[int | None, float | None, float | None]
"""Step, epoch, loss."""
_ROUNDING: Final = (5e-4, 1.5e-4)
"""How far two spellings of one loss may be apart: as a share of it, or the last of four digits."""
_SAME_EPOCH: Final = 0.006
"""Epochs that are the same but for rounding to two digits."""


class Repeats:
    """Knows the last training record and the last eval of a log."""

    def __init__(self) -> None:
        self._train: _Train | None = None
        self._eval: _Eval | None = None

    def train(self, entry: _Train) -> bool:
        """Whether this is the training record before once more: another writer's, its last digit perhaps another."""
        before, self._train = self._train, entry
        if entry[0] is not None:
            again = before is not None and _same(before, entry)
            if not again and self._eval is not None and self._eval[0] is None:
                self._eval = None  # what comes after it is another
            return again
        # Without steps, what is alike to the last digit is the same if there are digits enough: NaN and 0 have none.
        if before == entry and entry[1] and entry[2] and entry[4]:
            return True
        self._eval = None
        return False

    def eval(self, entry: _Eval) -> bool:
        """Whether this is the eval before once more; one without a step is known by its epoch."""
        before, self._eval = self._eval, entry
        if before is None or not _same(before, entry):
            return False
        placed = entry[0] is not None or (before[1] is not None and entry[1] is not None)
        return placed or before == entry


def _same(before: _Train | _Eval, entry: _Train | _Eval) -> bool:
    """Whether step, epoch and loss are the same but for rounding. Some logs count their steps anew in every epoch."""
    one, other = before[1], entry[1]
    if before[0] != entry[0] or not _alike(before[2], entry[2]):
        return False
    return one is None or other is None or abs(one - other) < _SAME_EPOCH


def _alike(one: float | None, other: float | None) -> bool:
    """Whether two spellings of a figure are the same but for rounding."""
    if one == other:
        return True
    if one is None or other is None:
        return False
    relative, absolute = _ROUNDING
    return math.isclose(one, other, rel_tol=relative, abs_tol=absolute) or (math.isnan(one) and math.isnan(other))
