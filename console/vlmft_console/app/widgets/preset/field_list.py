"""Field list: a preset's fields in sections, a line each: what changed, the value, and what is wrong with it."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from itertools import groupby
from typing import ClassVar

from rich.cells import cell_len
from textual.binding import Binding, BindingType
from textual.message import Message

from vlmft_console.app.widgets.base.cells import cut_line, fitted
from vlmft_console.app.widgets.base.cursor_list import CursorList
from vlmft_console.app.widgets.base.line_view import Line
from vlmft_console.presets import Draft, Field, fields, sections

CHANGED, ADVISED, INHERITED, WRONG = "*", "»", "+", "!"
LEGEND = f"{CHANGED} changed here  {ADVISED} advised  {INHERITED} unlike its parent  {WRONG} wrong"
"""What the sign before a field means."""
_MARK_CELLS, _VALUE_CELLS = 2, 26
_ROLES = {CHANGED: "caution", ADVISED: "accent", WRONG: "stop"}


class FieldList(CursorList, inherit_bindings=False):
    """Sections, by name, and their fields, by path. A section can be folded away."""

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
        *CursorList.BINDINGS,
        Binding("right_square_bracket", "section(1)", "next section", show=False, key_display="]"),
        Binding("left_square_bracket", "section(-1)", "section before", show=False, key_display="["),
    ]

    @dataclass
    class Turned(Message):
        """The field is to have the next of its values (`by` 1) or the one before (-1)."""

        path: str
        by: int

    def __init__(self) -> None:
        super().__init__()
        self._draft: Draft | None = None
        self._folded: set[str] = set()
        self._inherited: frozenset[str] = frozenset()
        self._blamed: dict[str, str] = {}

    @property
    def key_cells(self) -> int:
        """Width of the names."""
        return min(_longest_key() + 1, max(8, self.room // 2))

    def value_place(self, path: str) -> tuple[int, int, int]:
        """Where a field's value stands on the screen: column, line, and the cells it has."""
        left = _MARK_CELLS + self.key_cells
        room = max(4, self.room - left)
        cells = room if room < 2 * _VALUE_CELLS else _VALUE_CELLS
        return left, self._keys.index(path) - self.scroll_offset.y, cells

    def show(self, draft: Draft, blamed: dict[str, str] | None = None) -> None:
        """Show the draft as it is now.

        Args:
            draft: the draft.
            blamed: more that is wrong, by path, which only the plan could tell.
        """
        if draft is not self._draft or draft.base is not self._draft.base:
            self._inherited = frozenset(difference.path for difference in draft.inherited())
        self._draft, self._blamed = draft, blamed or {}
        keys: list[str] = []
        for section, group in groupby(fields().values(), lambda field: field.section):
            keys.append(section)
            keys += [field.path for field in group if section not in self._folded]
        self.show_keys(keys)

    def error_of(self, path: str) -> str:
        """What is wrong with a field; empty when nothing is."""
        return (self._draft.errors.get(path) if self._draft else "") or self._blamed.get(path, "")

    def go_to(self, path: str) -> None:
        """Put the cursor on a field, unfolding its section if need be."""
        if self._draft and path not in self._keys:
            self._folded.discard(path.partition(".")[0])
            self.show(self._draft, self._blamed)
        self.move_to(self._keys.index(path))

    def action_section(self, by: int) -> None:
        places = [place for place, path in enumerate(self._keys) if "." not in path]
        beyond = [place for place in places if (place - self._place) * by > 0]
        if beyond:
            self.move_to(min(beyond, key=lambda place: abs(place - self._place)))

    def action_choose(self) -> None:
        if field := fields().get(self.cursor):
            self.post_message(self.Turned(field.path, 1) if field.choices else self.Chosen(self, field.path))
        else:
            self._fold()

    def action_turn(self, by: int) -> None:
        field = fields().get(self.cursor)
        if field is None:
            self._fold()
        elif field.choices:
            self.post_message(self.Turned(field.path, by))

    def clicked(self, place: int, times: int) -> None:
        """The first click moves the cursor, one on the cursor changes the field."""
        if place == self._place:
            self.action_choose()
        else:
            self.move_to(place)

    def keep_in_view(self) -> None:
        super().keep_in_view()
        if self._place == 1 < self.size.height:
            self.scroll_to(y=0, animate=False)  # the first heading shows with its field

    def row(self, place: int) -> Line:
        path = self._keys[place]
        return self._field(fields()[path]) if "." in path else self._heading(path)

    def _fold(self) -> None:
        self._folded ^= {self.cursor}
        if self._draft:
            self.show(self._draft, self._blamed)

    def _heading(self, section: str) -> Line:
        sign = "▸" if section in self._folded else "▾"
        wrong = [path for path in fields() if path.startswith(f"{section}.") and self.error_of(path)]
        count = f"  {WRONG} {len(wrong)} wrong" if wrong else ""
        line = ((f"{sign} {section}", "strong"), (count, "stop"), (f"  {sections()[section]}", "dim"))
        return cut_line(line, self.room)

    def _field(self, field: Field) -> Line:
        assert self._draft is not None
        mark, error, keys = self._mark(field.path), self.error_of(field.path), self.key_cells
        value = self._draft.text(field.path)
        room = max(1, self.room - _MARK_CELLS - keys)
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
