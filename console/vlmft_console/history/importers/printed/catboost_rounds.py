"""CatBoost's rounds: `10:\\tlearn: 0.61\\ttest: 0.63\\tbest: 0.62 (8)\\ttotal: 40ms\\tremaining: 3s`.

They do not name what they measure. It is a loss where the training lowers it, and otherwise a score such as AUC.
"""

from __future__ import annotations

import contextlib
import re
from typing import Final

_ROUND = re.compile(
    r"(\d{1,9}):\s+learn: ([-+\d.e]{1,24})(?:\s+test: ([-+\d.e]{1,24}))?(?:\s+test\d: \S{1,24}){0,9}"
    r"(?:\s+best: \S{1,24} \(\d{1,9}\))?\s+total: "
)

_MOST: Final = 1000
"""Rounds that wait for one that measures something else than the first."""


def is_round(text: str) -> bool:
    """Whether a line is one."""
    return "learn: " in text and _ROUND.match(text) is not None


class CatBoostRounds:
    """Spells rounds as other trainers' lines, once it is told whether they measure a loss."""

    def __init__(self) -> None:
        self._first: float | None = None
        self._name = ""
        self._waiting: list[str] = []

    def lines(self, text: str) -> list[str]:
        """A line as it is, or what there is to tell of rounds."""
        if "learn: " not in text or not (found := _ROUND.match(text)):
            return [text]
        test = "" if found[3] is None else f" eval_{{0}}:{found[3]}"
        self._waiting.append(f"step:{found[1]} train_{{0}}:{found[2]}{test}")
        with contextlib.suppress(ValueError):
            learn = float(found[2])
            self._first = learn if self._first is None else self._first
            if not self._name and learn != self._first:
                self._name = "loss" if learn < self._first else "score"
        if not self._name and len(self._waiting) < _MOST:
            return []
        told, self._waiting = self._waiting, []
        return [line.format(self._name or "score") for line in told]
