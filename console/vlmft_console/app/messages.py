"""What background work tells the screens. Each message says what is now; a newer one replaces one not handled yet."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from textual.message import Message

if TYPE_CHECKING:
    from vlmft_console.presets.table import Listed
    from vlmft_console.runs.overview import Overview


@dataclass
class RunsSeen(Message):
    """The list of runs as it is now."""

    runs: list[Overview]

    def can_replace(self, message: Message) -> bool:
        return isinstance(message, RunsSeen)


@dataclass
class ActionDone(Message):
    """Something asked for was done, or could not be."""

    text: str
    """One line or more, for the person who asked."""
    problem: bool = False


@dataclass
class PresetsRead(Message):
    """The presets that can be named, as they are now."""

    presets: list[Listed]
