"""Cursor list: things with keys, one of them under a cursor that keys and mouse move, and that stays in view."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

from rich.cells import set_cell_size
from textual import events
from textual.binding import Binding, BindingType
from textual.geometry import Size
from textual.message import Message

from vlmft_console.app.widgets.base.line_view import Line, LineView


class CursorList(LineView, can_focus=True, inherit_bindings=False):
    """A line for each thing. What stands in it and in the head, subclasses say in `row` and `head`: they are asked for
    lines in view only."""

    ALLOW_SELECT = False
    DEFAULT_CSS = """
    CursorList {
        background: $background;
        color: $foreground;
    }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("j,down", "move(1)", "down", show=False),
        Binding("k,up", "move(-1)", "up", show=False),
        Binding("g,home", "first", "first", show=False),
        Binding("G,end", "last", "last", show=False),
        Binding("ctrl+d,pagedown", "page(1)", "page down", show=False),
        Binding("ctrl+u,pageup", "page(-1)", "page up", show=False),
    ]

    @dataclass
    class Moved(Message):
        """The cursor is on another thing; `key` is empty when there is none."""

        list: CursorList
        key: str

        @property
        def control(self) -> CursorList:
            return self.list

    @dataclass
    class Chosen(Message):
        """The thing under the cursor is to be opened, or changed."""

        list: CursorList
        key: str

        @property
        def control(self) -> CursorList:
            return self.list

    def __init__(self, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self._keys: list[str] = []
        self._place = 0

    @property
    def cursor(self) -> str:
        """Key of what is under the cursor; empty when there is nothing."""
        return self._keys[self._place] if self._keys else ""

    @property
    def keys(self) -> list[str]:
        """All keys, in order."""
        return self._keys

    @property
    def row_count(self) -> int:
        """Lines below the head."""
        return len(self._keys)

    def head(self) -> Line:
        """The line that stays at the top, where `HEAD` is 1."""
        raise NotImplementedError

    def row(self, place: int) -> Line:
        """The line of thing number `place`, from 0."""
        raise NotImplementedError

    def line(self, number: int) -> Line:
        place = number - self.HEAD
        if place < 0:
            return self.head()
        if place >= self.row_count:
            return ()
        line = self.row(place)
        if place != self._place:
            return line
        return ((set_cell_size("".join(text for text, _ in line), self.size.width), "chosen"),)

    def show_keys(self, keys: Sequence[str], cursor: str = "") -> None:
        """There are these things now. The cursor goes to `cursor`, or stays on its thing, wherever that is, or else on
        its place; where the thing is another one then, `Moved` says so."""
        wanted, place = cursor or self.cursor, self._place
        self._keys = list(keys)
        self._place = self._keys.index(wanted) if wanted in self._keys else max(0, min(place, len(keys) - 1))
        self.virtual_size = Size(0, self.HEAD + self.row_count)
        if self._place != place:
            self.keep_in_view()
        self.draw_changes()
        if self.cursor != wanted:
            self.post_message(self.Moved(self, self.cursor))

    def move_to(self, place: int) -> None:
        """Put the cursor on thing number `place`, from 0; the nearest there is."""
        place = max(0, min(place, len(self._keys) - 1))
        if place != self._place:
            self._place = place
            self.keep_in_view()
            self.draw_changes()
            self.post_message(self.Moved(self, self.cursor))

    def keep_in_view(self) -> None:
        """Scroll no further than the cursor needs."""
        top, room = self.scroll_offset.y, max(1, self.size.height - self.HEAD)
        if not top <= self._place < top + room:
            self.scroll_to(y=min(self._place, max(top, self._place - room + 1)), animate=False)

    def action_move(self, by: int) -> None:
        self.move_to(self._place + by)

    def action_page(self, by: int) -> None:
        self.action_move(by * max(1, self.size.height - self.HEAD - 1))

    def action_first(self) -> None:
        self.action_move(-self.virtual_size.height)

    def action_last(self) -> None:
        self.action_move(self.virtual_size.height)

    def on_resize(self) -> None:
        self.call_after_refresh(self.keep_in_view)  # how far it can be scrolled is known then

    def on_click(self, event: events.Click) -> None:
        place = self.place_at(event.x, event.y)
        if place is not None:
            self.clicked(place, event.chain)

    def place_at(self, x: int, y: int) -> int | None:
        """Number of the thing at a cell of the widget."""
        place = y - self.HEAD + self.scroll_offset.y
        return place if y >= self.HEAD and place < len(self._keys) else None

    def clicked(self, place: int, times: int) -> None:
        """A click moves the cursor, a double one chooses."""
        self.move_to(place)
        if times == 2:
            self.post_message(self.Chosen(self, self.cursor))
