"""Typed line: a line to type into, laid over the place of a value."""

from __future__ import annotations

from typing import ClassVar

from textual.binding import Binding, BindingType
from textual.message import Message
from textual.widgets import Input


class TypedLine(Input):
    """One line of text. What a paste holds beyond printable text is left out, so that nothing of it steers the
    terminal."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape", "leave('cancel', 0)", "cancel", tooltip="The value that was there before"),
        Binding("up", "leave('keep', -1)", "keep, go up", show=False),
        Binding("down,tab", "leave('keep', 1)", "keep, go down", show=False),
        Binding("shift+tab", "leave('keep', -1)", "keep, go up", show=False),
    ]

    class Left(Message):
        """The person is done typing.

        Args:
            keep: whether what was typed counts.
            by: lines that the cursor should move on.
        """

        def __init__(self, keep: bool, by: int) -> None:
            super().__init__()
            self.keep = keep
            self.by = by

    def __init__(self, *, id: str | None = None) -> None:
        super().__init__(id=id, compact=True, select_on_focus=True)
        self.cursor_blink = False

    def replace(self, text: str, start: int, end: int) -> None:
        super().replace("".join(character for character in text if character.isprintable()), start, end)

    def action_leave(self, what: str, by: int) -> None:
        self.post_message(self.Left(what == "keep", by))

    async def action_submit(self) -> None:
        self.post_message(self.Left(True, 0))
