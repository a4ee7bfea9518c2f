"""Field form: the list of fields, and a line to type into over the one that is being changed."""

from __future__ import annotations

from dataclasses import dataclass

from textual.app import ComposeResult
from textual.containers import Container
from textual.message import Message
from textual.widgets import Input

from vlmft_console.app.widgets.base.focusing import focus_now
from vlmft_console.app.widgets.base.typed_line import TypedLine
from vlmft_console.app.widgets.preset.field_list import FieldList
from vlmft_console.presets import Draft


class FieldForm(Container):
    """Shows a draft; says what is typed, and changes nothing itself."""

    DEFAULT_CSS = """
    FieldForm {
        layers: below above;
        & > FieldList { layer: below; }
        & > TypedLine { layer: above; display: none; height: 1; background: $boost; }
        &.-typing > TypedLine { display: block; }
    }
    """

    @dataclass
    class Typed(Message):
        """The text of a field, or of its reason (`reasons.…`), is this now."""

        path: str
        text: str

    class Settled(Message):
        """The field that was being typed into is done with."""

    def __init__(self) -> None:
        super().__init__()
        self._path = ""
        self._before = ""

    def compose(self) -> ComposeResult:
        yield FieldList()
        yield TypedLine()

    @property
    def list(self) -> FieldList:
        """The fields."""
        return self.query_one(FieldList)

    @property
    def typing(self) -> str:
        """Path of what is being typed into; empty when nothing is."""
        return self._path

    def show(self, draft: Draft, blamed: dict[str, str]) -> None:
        """Show the draft as it is now."""
        self.list.show(draft, blamed)

    def edit(self, path: str, text: str) -> None:
        """Let the person type into a field, or into its reason.

        Args:
            path: dotted key; that of a reason begins with `reasons.`.
            text: what is there now.
        """
        line = self.query_one(TypedLine)
        self._path, self._before = path, text
        self.list.go_to(path.removeprefix("reasons."))
        line.placeholder = "why it has its value" if path.startswith("reasons.") else ""
        with line.prevent(Input.Changed):
            line.value = text
        self.add_class("-typing")
        self.call_after_refresh(self._place)  # the list may be scrolling
        focus_now(line)

    def leave(self, *, keep: bool) -> None:
        """End the typing, as the person would; nothing happens when nobody types."""
        if not self._path:
            return
        path, self._path = self._path, ""
        self.remove_class("-typing")
        if not keep:
            self.post_message(self.Typed(path, self._before))
        self.post_message(self.Settled())
        focus_now(self.list)

    def on_input_changed(self, event: Input.Changed) -> None:
        event.stop()
        if self._path:
            self.post_message(self.Typed(self._path, event.value))

    def on_typed_line_left(self, event: TypedLine.Left) -> None:
        event.stop()
        self.leave(keep=event.keep)
        if event.by:
            self.list.action_move(event.by)

    def on_resize(self) -> None:
        if self._path:
            self.call_after_refresh(self._place)

    def _place(self) -> None:
        if not self._path:
            return
        line = self.query_one(TypedLine)
        column, row, cells = self.list.value_place(self._path.removeprefix("reasons."))
        if self._path.startswith("reasons."):
            cells = self.list.room - column
        line.styles.offset = (column, row)
        line.styles.width = cells
