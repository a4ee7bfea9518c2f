"""Help dialog: every key of the screen below, from the bindings themselves."""

from __future__ import annotations

import textwrap
from collections.abc import Iterable, Sequence
from typing import ClassVar

from textual.binding import Binding, BindingType
from textual.content import Content
from textual.screen import Screen

from vlmft_console.app.dialogs.reading import ReadingScreen
from vlmft_console.app.keys import Key, keys_of


class HelpScreen(ReadingScreen):
    """Lists keys with what they do.

    Args:
        screen: the screen to explain.
    """

    BINDINGS: ClassVar[list[BindingType]] = [Binding("question_mark,f1", "close", "close", show=False)]

    def __init__(self, screen: Screen[object]) -> None:
        super().__init__()
        self._keys = keys_of(screen)

    def lines(self, width: int) -> Iterable[Content]:
        return help_lines(self._keys, width)


def help_lines(keys: Sequence[Key], width: int) -> Iterable[Content]:
    """The screen's own keys, then those that work everywhere, in lines of at most `width` cells."""
    column = max((len(key.display) for key in keys), default=0)
    for title, everywhere in (("This screen", False), ("Everywhere", True)):
        yield Content.styled(title, "bold $primary")
        for key in sorted(keys, key=lambda key: not key.shown):
            if key.everywhere == everywhere:
                lines = textwrap.wrap(key.explained or key.description, max(10, width - column - 2))
                for number, line in enumerate(lines):
                    yield Content.assemble((f"{key.display if number == 0 else '':<{column}}", "bold"), f"  {line}")
        if not everywhere:
            yield Content("")
