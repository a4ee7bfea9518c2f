"""Told dialog: the last messages, all of each, for those that were too long or gone too soon."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import ClassVar

from rich.text import Text
from textual.binding import Binding, BindingType
from textual.content import Content

from vlmft_console.app.dialogs.reading import ReadingScreen
from vlmft_console.app.tell import Said


class ToldScreen(ReadingScreen):
    """Lists messages with the time each was shown, the newest first."""

    BINDINGS: ClassVar[list[BindingType]] = [Binding("exclamation_mark", "close", "close", show=False)]

    def __init__(self, told: Sequence[Said]) -> None:
        super().__init__()
        self._told = tuple(told)

    def lines(self, width: int) -> Iterable[Content]:
        yield Content.styled("Messages", "bold $primary")
        if not self._told:
            yield Content("none so far")
        for said in reversed(self._told):
            yield Content.styled(f"{datetime.fromtimestamp(said.raised_at).astimezone():%H:%M:%S}", "dim")
            for line in Text(said.whole).wrap(self.app.console, max(8, width)):
                yield Content.styled(line.plain, "bold $error" if said.severity == "error" else "")
