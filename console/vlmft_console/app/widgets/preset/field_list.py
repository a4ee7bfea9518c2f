"""A preset's fields in sections, a line each: what changed, the value, and what is wrong with it."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from itertools import groupby
from typing import ClassVar

from rich.cells import cell_len
from textual import events
from textual.binding import Binding, BindingType
from textual.message import Message

from vlmft_console.app.widgets.base.cells import fitted
from vlmft_console.app.widgets.base.lines import Lines, Row
from vlmft_console.app.widgets.base.role_style import CURSOR, ROLES
from vlmft_console.presets import Draft, Field, fields, sections

CHANGED, ADVISED, INHERITED, WRONG = "*", "»", "+", "!"
LEGEND = f"{CHANGED} changed here  {ADVISED} advised  {INHERITED} unlike its parent  {WRONG} wrong"
"""What the sign before a field means."""
_MARK_CELLS, _VALUE_CELLS = 2, 26
_ROLES = {CHANGED: "caution", ADVISED: "accent", WRONG: "stop"}


class FieldList(Lines, can_focus=True):
    """Sections and their fields under a cursor. A section can be folded away."""

    ALLOW_SELECT = False
    ROLE_STYLES: ClassVar = {**ROLES, "cursor": CURSOR}
    DEFAULT_CSS = """
    FieldList {
        height: 1fr;
    }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("enter", "choose", "edit", tooltip="Change the field; fold or unfold the section"),
        Binding("space", "turn(1)", "next value", show=False, tooltip="The next of a few values; fold a section"),
        Binding("right,l", "turn(1)", "next value", show=False),
        Binding("left,h", "turn(-1)", "previous value", show=False, tooltip="The value before, of a few"),
        Binding("j,down", "move(1)", "down", show=False),
        Binding("k,up", "move(-1)", "up", show=False),
        Binding("g,home", "first", "first", show=False),
        Binding("G,end", "last", "last", show=False),
        Binding("ctrl+d,pagedown", "page(1)", "page down", show=False),
        Binding("ctrl+u,pageup", "page(-1)", "page up", show=False),
        Binding("right_square_bracket", "section(1)", "next section", show=False, key_display="]"),
        Binding("left_square_bracket", "section(-1)", "section before", show=False, key_display="["),
    ]

    @dataclass
    class Moved(Message):
        """The cursor is on another line: a field's path, or a section's name."""

        path: str

    @dataclass
    class Chosen(Message):
        """The field is to be changed by typing."""

        path: str

    @dataclass
    class Turned(Message):
        """The field is to have the next of its values (`by` 1) or the one before (-1)."""

        path: str
        by: int

    def __init__(self) -> None:
        super().__init__()
        self._draft: Draft | None = None
        self._paths: list[str] = []
        self._folded: set[str] = set()
        self._inherited: frozenset[str] = frozenset()
        self._blamed: dict[str, str] = {}
        self._cursor = 0

    @property
    def cursor(self) -> str:
        """The field's path or the section's name under the cursor; empty before there is a draft."""
        return self._paths[self._cursor] if self._paths else ""

    @property
    def key_cells(self) -> int:
        """Width of the names."""
        return min(_longest_key() + 1, max(8, self.size.width // 2))

    def value_place(self, path: str) -> tuple[int, int, int]:
        """Where a field's value stands on the screen: column, line, and the cells it has."""
        left = _MARK_CELLS + self.key_cells
        room = max(4, self.size.width - left)
        cells = room if room < 2 * _VALUE_CELLS else _VALUE_CELLS
        return left, self._paths.index(path) - self.scroll_offset.y, cells

    def show(self, draft: Draft, blamed: dict[str, str] | None = None) -> None:
        """Show the draft as it is now.

        Args:
            draft: the draft.
            blamed: more that is wrong, by path, which only the plan could tell.
        """
        if draft is not self._draft or draft.base is not self._draft.base:
            self._inherited = frozenset(difference.path for difference in draft.inherited())
        self._draft, self._blamed = draft, blamed or {}
        under, self._paths = self.cursor, []
        for section, group in groupby(fields().values(), lambda field: field.section):
            self._paths.append(section)
            self._paths += [field.path for field in group if section not in self._folded]
        if under in self._paths:
            self._cursor = self._paths.index(under)
        self._cursor = min(self._cursor, len(self._paths) - 1)
        self._draw()

    def error_of(self, path: str) -> str:
        """What is wrong with a field; empty when nothing is."""
        return (self._draft.errors.get(path) if self._draft else "") or self._blamed.get(path, "")

    def go_to(self, path: str) -> None:
        """Put the cursor on a field, unfolding its section if need be."""
        if self._draft and path not in self._paths:
            self._folded.discard(path.partition(".")[0])
            self.show(self._draft, self._blamed)
        self._move_to(self._paths.index(path))

    def action_move(self, by: int) -> None:
        self._move_to(self._cursor + by)

    def action_page(self, by: int) -> None:
        self._move_to(self._cursor + by * max(1, self.size.height - 1))

    def action_first(self) -> None:
        self._move_to(0)

    def action_last(self) -> None:
        self._move_to(len(self._paths) - 1)

    def action_section(self, by: int) -> None:
        places = [place for place, path in enumerate(self._paths) if "." not in path]
        beyond = [place for place in places if (place - self._cursor) * by > 0]
        if beyond:
            self._move_to(min(beyond, key=lambda place: abs(place - self._cursor)))

    def action_choose(self) -> None:
        if field := fields().get(self.cursor):
            self.post_message(self.Turned(field.path, 1) if field.choices else self.Chosen(field.path))
        else:
            self._fold()

    def action_turn(self, by: int) -> None:
        field = fields().get(self.cursor)
        if field is None:
            self._fold()
        elif field.choices:
            self.post_message(self.Turned(field.path, by))

    def on_click(self, event: events.Click) -> None:
        """The first click moves the cursor, one on the cursor changes the field."""
        place = event.y + self.scroll_offset.y
        if place == self._cursor:
            self.action_choose()
        elif place < len(self._paths):
            self._move_to(place)

    def on_resize(self) -> None:
        self._draw()
        self.call_after_refresh(self._keep_in_view)  # how far it can be scrolled is known then

    def _fold(self) -> None:
        self._folded ^= {self.cursor}
        if self._draft:
            self.show(self._draft, self._blamed)

    def _move_to(self, place: int) -> None:
        place = max(0, min(place, len(self._paths) - 1))
        if place != self._cursor:
            self._cursor = place
            self._draw()
            self._keep_in_view()
            self.post_message(self.Moved(self.cursor))

    def _keep_in_view(self) -> None:
        top, room = self.scroll_offset.y, max(1, self.size.height)
        if self._cursor < top:
            above = self._cursor - 1 if self._cursor == 1 else self._cursor  # the first heading shows with its field
            self.scroll_to(y=above, animate=False)
        elif self._cursor >= top + room:
            self.scroll_to(y=self._cursor - room + 1, animate=False)

    def _draw(self) -> None:
        if self._draft is None or not self.size.width:
            return
        width, keys = self.size.width, self.key_cells
        rows = [
            self._field(fields()[path], width, keys) if "." in path else self._heading(path) for path in self._paths
        ]
        text = "".join(text for text, _ in rows[self._cursor])
        rows[self._cursor] = ((fitted(text, width), "cursor"),)
        self.show_rows(rows)

    def _heading(self, section: str) -> Row:
        sign = "▸" if section in self._folded else "▾"
        wrong = [path for path in fields() if path.startswith(f"{section}.") and self.error_of(path)]
        count = f"  {WRONG} {len(wrong)} wrong" if wrong else ""
        return ((f"{sign} {section}", "strong"), (f"  {sections()[section]}", "dim"), (count, "stop"))

    def _field(self, field: Field, width: int, keys: int) -> Row:
        assert self._draft is not None
        mark, error = self._mark(field.path), self.error_of(field.path)
        value = self._draft.text(field.path)
        room = max(1, width - _MARK_CELLS - keys)
        role = _ROLES.get(mark, "")
        name = ((f"{mark} ", role), (fitted(field.key, keys), "" if mark in (" ", INHERITED) else "strong"))
        if not error or room < 2 * _VALUE_CELLS:
            return (*name, (fitted(value, room), role))
        return (
            *name,
            (fitted(value, _VALUE_CELLS), role),
            (fitted(f" {WRONG} {error}", room - _VALUE_CELLS), "stop"),
        )

    def _mark(self, path: str) -> str:
        assert self._draft is not None
        if self.error_of(path):
            return WRONG
        if self._draft.differs(path):
            return ADVISED if path in self._draft.advised else CHANGED
        return INHERITED if path in self._inherited else " "


@cache
def _longest_key() -> int:
    return max(cell_len(field.key) for field in fields().values())
