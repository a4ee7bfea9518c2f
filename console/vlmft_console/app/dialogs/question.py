"""Question dialog: what to ask a model, and about which picture."""

from __future__ import annotations

import os
from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import BindingType
from textual.containers import Vertical
from textual.screen import ModalScreen
from textual.widgets import Label, Static

from vlmft_console.app.widgets.base.focusing import focus_now
from vlmft_console.app.widgets.base.literal import literal
from vlmft_console.app.widgets.base.typed_line import TypedLine
from vlmft_core.home import expanded


class QuestionScreen(ModalScreen["tuple[str, str]"]):
    """Gives back the picture's file (empty: none) and the question; None when the person thinks better of it.

    Args:
        title: whom it goes to; may hold a run's name.
    """

    CSS_PATH = "question.tcss"
    BINDINGS: ClassVar[list[BindingType]] = []

    def __init__(self, title: str) -> None:
        super().__init__()
        self._title = title

    def compose(self) -> ComposeResult:
        with Vertical(id="dialog"):
            yield Static(literal(self._title, "bold"))
            yield Label("picture")
            yield TypedLine(id="image")
            yield Label("question")
            yield TypedLine(id="asked")
            yield Static("", id="error", markup=False)
            yield Static("enter ask   tab next   esc cancel", id="keys", markup=False)

    def on_mount(self) -> None:
        focus_now(self.query_one("#image"))

    def on_typed_line_left(self, message: TypedLine.Left) -> None:
        """Enter on the question asks; else it leads to the other line."""
        message.stop()
        image, asked = self.query_one("#image", TypedLine), self.query_one("#asked", TypedLine)
        if not message.keep:
            self.dismiss(None)
        elif message.by or image.has_focus:
            focus_now(asked if image.has_focus else image)
        elif problem := _problem(image.value.strip(), asked.value.strip()):
            self.query_one("#error", Static).update(literal(problem))
        else:
            self.dismiss((_file(image.value.strip()), asked.value.strip()))


def _file(typed: str) -> str:
    return str(expanded(typed)) if typed else ""


def _problem(image: str, asked: str) -> str:
    if not asked:
        return "Type a question."
    if image and not os.path.isfile(expanded(image)):  # noqa: PTH113  Path.is_file raises for a name that is too long
        return f"{image}: no such file"
    return ""
