"""Metric cards: tables of two columns, a metric and its value a row, that a program prints anew at every step or epoch.

| train/                  |             |
|    loss                 | 0.0812      |
|    learning_rate        | 0.0003      |
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final

from vlmft_console.history.importers.entries.metric_names import EPOCH, LOSS, STEP, stands_for, tells_training
from vlmft_console.history.importers.entries.parsing import number

_ROW = re.compile(
    r"\s*[|│┃║](?P<indent>\s*)(?P<name>[^|│┃║]{1,80}?)\s*[|│┃║]\s*(?P<value>[^\s|│┃║]{0,40})\s*(?P<closed>[|│┃║]?)\s*"
)
_FIGURES = re.compile(r"[:=\d]")
"""What stands in a line with a frame around it, and in no heading of a group."""
_MOST: Final = 200
"""Rows of a card."""


class MetricCards:
    """Is shown the lines of a log one by one."""

    def __init__(self) -> None:
        self._cells: dict[str, str] = {}
        self._group = ""
        self._groups: set[str] = set()

    @property
    def begun(self) -> bool:
        """Whether there is a card that no other has followed yet."""
        return bool(self._cells)

    def row(self, line: str) -> tuple[bool, Mapping[str, str]]:
        """Whether a line that was cleaned is a card's row, and the card before it, if another begins with it."""
        found = _ROW.fullmatch(line)
        if found is None or found["name"].isdecimal():
            return False, {}
        name, value = found["name"], found["value"]
        if not value:
            if not found["closed"] or _FIGURES.search(name):
                return False, {}
            finished = self.rest() if name in self._groups else {}
            self._group = name if name.endswith("/") else f"{name}/"
            self._groups.add(name)
            return True, finished
        try:
            number(value)
        except ValueError:
            return False, {}  # the head of a table
        name = self._group + name if len(found["indent"]) > 1 else name
        finished = self.rest(keep=self._group) if name in self._cells or len(self._cells) >= _MOST else {}
        self._cells[name] = value
        return True, finished

    def rest(self, keep: str = "") -> Mapping[str, str]:
        """The card that no other has followed yet; nothing, where it tells no loss."""
        cells, self._cells, self._group, self._groups = self._cells, {}, keep, set()
        return cells if tells_training(cells) else {}


def without_train_loss(cells: Mapping[str, str]) -> Mapping[str, str]:
    """A card beside lines that tell the training's figures already."""
    return {name: value for name, value in cells.items() if not stands_for(name, LOSS)}


def is_placed(cells: Mapping[str, str]) -> bool:
    """Whether a card tells where it stands."""
    return any(stands_for(name, STEP, EPOCH) for name in cells)
