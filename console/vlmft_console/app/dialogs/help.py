"""Help dialog: every key of the screen below, from the bindings themselves."""

from __future__ import annotations

import textwrap
from collections.abc import Iterable, Sequence
from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import VerticalScroll
from textual.content import Content
from textual.screen import ModalScreen, Screen
from textual.widgets import Static

from vlmft_console.app.keys import Key, keys_of


class HelpScreen(ModalScreen[None]):
    """Lists keys with what they do.

    Args:
        screen: the screen to explain.
    """

    CSS_PATH = "help.tcss"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape,q,question_mark,f1", "close", "close", key_display="esc"),
        Binding("j,down", "scroll(1)", "down", show=False),
        Binding("k,up", "scroll(-1)", "up", show=False),
        Binding("g,home", "top", "first", show=False),
        Binding("G,end", "bottom", "last", show=False),
    ]

    def __init__(self, screen: Screen[object]) -> None:
        super().__init__()
        self._keys = keys_of(screen)

    def compose(self) -> ComposeResult:
        with VerticalScroll(id="dialog"):
            yield Static("", markup=False)

    def on_mount(self) -> None:
        self.query_one(VerticalScroll).focus()
        self.call_after_refresh(self._write)

    def on_resize(self) -> None:
        self.call_after_refresh(self._write)

    def _write(self) -> None:
        width = self.query_one(VerticalScroll).scrollable_content_region.width
        self.query_one(Static).update(Content("\n").join(help_lines(self._keys, width)))

    def action_close(self) -> None:
        self.dismiss()

    def action_scroll(self, by: int) -> None:
        self.query_one(VerticalScroll).scroll_relative(y=by, animate=False)

    def action_top(self) -> None:
        self.query_one(VerticalScroll).scroll_home(animate=False)

    def action_bottom(self) -> None:
        self.query_one(VerticalScroll).scroll_end(animate=False)


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
