"""Metric choice: names and patterns of metrics, typed on a line of their own and kept for the next time."""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Literal

from textual.message import Message

from vlmft_console.app.settings import keep, kept_settings
from vlmft_console.app.tell import tell
from vlmft_console.app.widgets.base.focusing import focus_now
from vlmft_console.app.widgets.base.typed_line import TypedLine
from vlmft_console.charts.run_charts import CHARTS
from vlmft_console.history.chosen import chosen, compiled
from vlmft_console.runs.quoted_words import quoted, quoted_words
from vlmft_core.errors import VlmftError


class MetricChoice(TypedLine):
    """The line is shown while somebody types on it.

    Args:
        setting: where the choice is kept.
    """

    DEFAULT_CSS = """
    MetricChoice {
        display: none;
        height: 1;
        background: $boost;
    }
    """

    @dataclass
    class Made(Message):
        """The person is done; other metrics are chosen, or the same."""

    def __init__(self, setting: Literal["panels", "overlay"]) -> None:
        super().__init__()
        self._setting = setting
        self._there: Collection[str] = ()
        self.patterns: tuple[str, ...] = ()
        """Names, or regular expressions looked for in the names; none for all."""

    def on_mount(self) -> None:
        try:
            self.patterns = getattr(kept_settings(), self._setting)
        except VlmftError as error:
            tell(self, str(error), problem=True)

    def names(self, there: Sequence[str], usual: Sequence[str] | None = None) -> list[str]:
        """What is chosen of the metrics that there are; a pattern that matches nothing here may do so in another log.

        Args:
            there: all metrics, by name.
            usual: what is shown where nothing was chosen; all when None.
        """
        if not self.patterns:
            return list(there if usual is None else usual)
        found: dict[str, None] = {}
        for pattern in self.patterns:
            try:
                found |= dict.fromkeys(chosen([pattern], there, CHARTS))
            except VlmftError:  # it was tried when it was typed
                continue
        return list(found)

    def ask(self, there: Collection[str]) -> None:
        """Let the person type; `there` are the metrics that can be meant."""
        self._there = there
        self.value = quoted(self.patterns)
        self.display = True
        focus_now(self)

    def on_typed_line_left(self, message: TypedLine.Left) -> None:
        """Take the patterns that were typed, unless they say nothing."""
        message.stop()
        if message.keep and not self._take(self.value):
            return
        self.display = False
        self.post_message(self.Made())

    def _take(self, typed: str) -> bool:
        try:
            patterns = tuple(quoted_words(typed))
            chosen(patterns, self._there, CHARTS)
        except VlmftError as error:
            tell(self, str(error).removeprefix("--metric "), problem=True)
            return False
        self.patterns = tuple(map(_as_pattern, patterns))
        keep(self, self._setting, list(self.patterns))
        return True


def _as_pattern(name: str) -> str:
    """A name or pattern as it can be kept: a name such as `acc(top` is no regular expression as it stands."""
    try:
        compiled(name)
    except VlmftError:
        return f"^{re.escape(name)}$"
    return name
