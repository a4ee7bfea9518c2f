"""Choice: one of a few values, turned with the arrow keys."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

from textual.binding import Binding, BindingType
from textual.content import Content
from textual.message import Message
from textual.reactive import reactive
from textual.widget import Widget


class Choice(Widget, can_focus=True):
    """Shows all values on one line, the chosen one in brackets.

    Args:
        options: the values.
        value: the one chosen at first.
    """

    DEFAULT_CSS = """
    Choice { height: 1; width: 1fr; }
    Choice:focus { background: $boost; }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("right,l,space", "turn(1)", "next value", tooltip="The next of the values"),
        Binding("left,h", "turn(-1)", "value before", show=False),
    ]
    value: reactive[str] = reactive("")

    @dataclass
    class Changed(Message):
        """Another value was chosen."""

        value: str

    def __init__(self, options: Sequence[str], value: str, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self._options = tuple(options)
        self.set_reactive(Choice.value, value)

    def render(self) -> Content:
        style = "bold reverse" if self.has_focus else "bold"
        return Content("  ").join(
            Content.styled(f"[{option}]", style) if option == self.value else Content(option)
            for option in self._options
        )

    def action_turn(self, by: int) -> None:
        self.value = self._options[(self._options.index(self.value) + by) % len(self._options)]
        self.post_message(self.Changed(self.value))
