"""YAML dialog: a value of several lines, such as the data sources."""

from __future__ import annotations

from collections.abc import Callable
from typing import ClassVar

from textual import events
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.screen import ModalScreen
from textual.widgets import Static, TextArea

from vlmft_console.app.widgets.base.literal import literal, one_line

KEYS = "ctrl+s keep   esc cancel"


class YamlScreen(ModalScreen[str]):
    """Gives back the text, or None when the person thinks better of it.

    Args:
        title: what is being changed.
        text: the YAML to begin with.
        check: says what is wrong with a text, an empty string when nothing is; asked after every key.
    """

    CSS_PATH = "yaml_text.tcss"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("ctrl+s", "keep", "keep", priority=True, tooltip="Take the text over"),
        Binding("escape", "cancel", "cancel", priority=True, tooltip="The value that was there before"),
    ]

    def __init__(self, title: str, text: str, check: Callable[[str], str]) -> None:
        super().__init__()
        self._title = title
        self._text = text
        self._check = check

    def compose(self) -> ComposeResult:
        with Vertical(id="dialog"):
            yield Static(literal(self._title, "bold"))
            area = _PrintableTextArea(self._text, tab_behavior="indent", soft_wrap=True)
            area.cursor_blink = False
            yield area
            yield Static("", id="error", markup=False)
            yield Static(KEYS, id="keys", markup=False)

    def on_text_area_changed(self, event: TextArea.Changed) -> None:
        error = self._check(event.text_area.text)
        self.query_one("#error", Static).update(literal(one_line(f"! {error}") if error else ""))

    def action_keep(self) -> None:
        self.dismiss(self.query_one(TextArea).text)

    def action_cancel(self) -> None:
        self.dismiss(None)


class _PrintableTextArea(TextArea):
    """A text area that takes no control characters from a paste."""

    async def _on_paste(self, event: events.Paste) -> None:
        await super()._on_paste(events.Paste("".join(c for c in event.text if c.isprintable() or c == "\n")))
