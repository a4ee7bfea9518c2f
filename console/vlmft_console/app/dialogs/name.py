"""Name dialog: a name typed by a person."""

from __future__ import annotations

from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.screen import ModalScreen
from textual.widgets import Input, Static

from vlmft_console.app.widgets.base.literal import literal


class NameScreen(ModalScreen[str]):
    """Asks for a name and gives it back; an empty string when the person thinks better of it.

    Args:
        question: one line; may hold names from anywhere.
    """

    CSS_PATH = "name.tcss"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape", "cancel", "cancel", tooltip="Leave everything as it is"),
    ]

    def __init__(self, question: str) -> None:
        super().__init__()
        self._question = question

    def compose(self) -> ComposeResult:
        with Vertical(id="dialog"):
            yield Static(literal(self._question, "bold"))
            yield Input(compact=True, max_length=64)
            yield Static("letters, digits, '.', '_' and '-'; enter keeps, esc cancels", id="hint", markup=False)

    def on_mount(self) -> None:
        name = self.query_one(Input)
        name.cursor_blink = False
        name.focus()

    def on_input_submitted(self, event: Input.Submitted) -> None:
        self.dismiss(event.value.strip())

    def action_cancel(self) -> None:
        self.dismiss("")
