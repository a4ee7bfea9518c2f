"""Confirm dialog: a question with a few answers, each on a key."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar, NamedTuple

from rich.table import Table
from rich.text import Text
from textual import events
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.screen import ModalScreen
from textual.widgets import OptionList, Static

from vlmft_console.app.widgets.base.literal import literal, one_line


class Answer(NamedTuple):
    """One answer."""

    key: str
    """The key that gives it: one letter."""
    text: str
    """What happens then."""
    value: str
    """What the asker gets."""


class Answers(OptionList):
    """The answers; they fit on one page, and may be asked for before that is laid out."""

    def action_page_down(self) -> None:
        self.action_last()

    def action_page_up(self) -> None:
        self.action_first()


class ConfirmScreen(ModalScreen[str]):
    """Asks, and gives back the value of the answer; an empty string when the person thinks better of it.

    Args:
        question: one sentence; may hold names from anywhere.
        answers: the first is under the cursor.
        detail: what the person should know before answering; may be empty.
        careful: the cursor begins on the answer that changes nothing instead.
        cancel: what that answer is called.
    """

    CSS_PATH = "confirm.tcss"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape,q", "cancel", "cancel", tooltip="Leave everything as it is"),
        Binding("j,down", "move(1)", "down", show=False),
        Binding("k,up", "move(-1)", "up", show=False),
    ]

    def __init__(
        self,
        question: str,
        answers: Sequence[Answer],
        detail: str = "",
        *,
        careful: bool = False,
        cancel: str = "cancel",
    ) -> None:
        super().__init__()
        self._question = question
        self._answers = tuple(answers)
        self._detail = detail
        self._careful = careful
        self._cancel = cancel

    def compose(self) -> ComposeResult:
        with Vertical(id="dialog"):
            yield Static(literal(self._question, "bold"))
            if self._detail:
                yield Static(literal(self._detail), id="detail")
            yield Answers(*(_prompt(answer.key, answer.text) for answer in self._answers), _prompt("esc", self._cancel))

    def on_mount(self) -> None:
        self.query_one(OptionList).highlighted = len(self._answers) if self._careful else 0

    def on_key(self, event: events.Key) -> None:
        for answer in self._answers:
            if event.key == answer.key:
                event.stop()
                self.dismiss(answer.value)

    def on_option_list_option_selected(self, event: OptionList.OptionSelected) -> None:
        values = [*(answer.value for answer in self._answers), ""]
        self.dismiss(values[event.option_index])

    def action_move(self, by: int) -> None:
        options = self.query_one(OptionList)
        if by > 0:
            options.action_cursor_down()
        else:
            options.action_cursor_up()

    def action_cancel(self) -> None:
        self.dismiss("")


def _prompt(key: str, text: str) -> Table:
    """The key, and what it does beside it, on as many lines as it takes."""
    prompt = Table.grid(padding=(0, 2, 0, 0))
    prompt.add_column(width=3, justify="right")
    prompt.add_column(ratio=1)
    prompt.add_row(Text(key, "bold"), Text(one_line(text)))
    return prompt
