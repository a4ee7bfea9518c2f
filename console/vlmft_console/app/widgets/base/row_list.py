"""A list of rows in columns, for runs and presets: a cursor, marks, and only what changed is drawn again."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field, replace
from typing import ClassVar

from rich.cells import cell_len
from rich.segment import Segment
from rich.style import Style
from textual import events
from textual.binding import Binding, BindingType
from textual.geometry import Region, Size
from textual.message import Message
from textual.scroll_view import ScrollView
from textual.strip import Strip

from vlmft_console.app.widgets.base.cells import Cell, Column, fitted, layout
from vlmft_console.app.widgets.base.literal import one_line
from vlmft_console.app.widgets.base.role_style import CURSOR, ROLES, role_style

_TITLE = "bold $secondary"


@dataclass(frozen=True)
class Row:
    """One line of the list."""

    key: str
    """Which thing it stands for; unique in the list."""
    cells: tuple[Cell, ...]
    """One for each column."""


def _no_wider(column: Column, cells: Sequence[Cell]) -> Column:
    """The column, not stretching beyond what these cells need."""
    if not column.stretches:
        return column
    needed = max((cell_len(one_line(cell.text)) for cell in cells), default=0)
    return replace(column, widest=max(column.width, min(column.widest, needed)))


@dataclass
class _Shown:
    """What is on the screen."""

    rows: list[Row] = field(default_factory=list)
    places: dict[str, int] = field(default_factory=dict)
    marked: frozenset[str] = frozenset()


class RowList(ScrollView, can_focus=True, inherit_bindings=False):
    """Rows under a line of column titles. Columns that do not fit are left out, the least important first; one that
    stretches takes no more than its longest text, so that the next one has the rest.

    Args:
        columns: what the cells of every row are.
    """

    ALLOW_SELECT = False
    DEFAULT_CSS = """
    RowList {
        overflow-x: hidden;
        scrollbar-size-vertical: 1;
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
        """The cursor is on another row; empty when there is none."""

        key: str

    @dataclass
    class Chosen(Message):
        """A row was clicked twice."""

        key: str

    class Scrolled(Message):
        """Other rows are on the screen than before."""

    def __init__(self, columns: Sequence[Column], *, id: str | None = None) -> None:
        super().__init__(id=id)
        self._columns = self._laid = tuple(columns)
        self._shown = _Shown()
        self._cursor = 0

    @property
    def cursor(self) -> str:
        """Key of the row under the cursor; empty when the list is."""
        return self._shown.rows[self._cursor].key if self._shown.rows else ""

    @property
    def keys(self) -> list[str]:
        """The keys of all rows, in order."""
        return [row.key for row in self._shown.rows]

    def visible_keys(self) -> list[str]:
        """The keys of the rows that are on the screen."""
        top = self.scroll_offset.y
        return [row.key for row in self._shown.rows[top : top + max(0, self.size.height - 1)]]

    def show(self, rows: Sequence[Row], marked: Collection[str] = ()) -> None:
        """Show these rows. The cursor stays on its row wherever that is now; lines that are the same stay untouched."""
        before, under = self._shown, self.cursor
        self._shown = _Shown(list(rows), {row.key: place for place, row in enumerate(rows)}, frozenset(marked))
        old_cursor, old_columns = self._cursor, self._laid
        self._cursor = self._shown.places.get(under, min(self._cursor, max(0, len(rows) - 1)))
        self._laid = tuple(
            _no_wider(column, [row.cells[number] for row in rows]) for number, column in enumerate(self._columns)
        )
        if len(before.rows) != len(rows) or old_columns != self._laid:
            self.virtual_size = Size(0, len(rows) + 1)
            self.refresh()
        else:
            for place, (old, new) in enumerate(zip(before.rows, rows, strict=True)):
                if old != new or (old.key in before.marked) != (new.key in self._shown.marked):
                    self._refresh_row(place)
        if old_cursor != self._cursor:
            self._refresh_row(old_cursor)
            self._refresh_row(self._cursor)
            self._keep_in_view()
        if under != self.cursor:
            self.post_message(self.Moved(self.cursor))

    def move_to(self, place: int) -> None:
        """Put the cursor on a row, counted from 0; the nearest there is."""
        place = max(0, min(place, len(self._shown.rows) - 1))
        if place == self._cursor or not self._shown.rows:
            return
        self._refresh_row(self._cursor)
        self._cursor = place
        self._refresh_row(place)
        self._keep_in_view()
        self.post_message(self.Moved(self.cursor))

    def action_move(self, by: int) -> None:
        self.move_to(self._cursor + by)

    def action_page(self, by: int) -> None:
        self.move_to(self._cursor + by * max(1, self.size.height - 2))

    def action_first(self) -> None:
        self.move_to(0)

    def action_last(self) -> None:
        self.move_to(len(self._shown.rows) - 1)

    def on_click(self, event: events.Click) -> None:
        """A click moves the cursor, a double one chooses."""
        place = event.y - 1 + self.scroll_offset.y
        if event.y < 1 or place >= len(self._shown.rows):
            return
        self.move_to(place)
        if event.chain == 2:
            self.post_message(self.Chosen(self.cursor))

    def on_resize(self) -> None:
        self._keep_in_view()
        self.post_message(self.Scrolled())

    def watch_scroll_y(self, old_value: float, new_value: float) -> None:
        super().watch_scroll_y(old_value, new_value)
        self.post_message(self.Scrolled())

    def render_line(self, y: int) -> Strip:
        width = self.size.width
        columns = layout(self._laid, width)
        if y == 0:
            title = role_style(self.rich_style, _TITLE)
            texts = [fitted(column.title, cells, column.right) for column, cells in columns.values()]
            return Strip([Segment(" ".join(texts), title)]).adjust_cell_length(width, self.rich_style)
        place = y - 1 + self.scroll_offset.y
        if place >= len(self._shown.rows):
            return Strip.blank(width, self.rich_style)
        row = self._shown.rows[place]
        cursor = role_style(self.rich_style, CURSOR) if place == self._cursor else None
        segments: list[Segment] = []
        for number, (column, cells) in columns.items():
            text, role, short = row.cells[number]
            if short and cell_len(one_line(text)) > cells:
                text = short
            if number == 0 and row.key in self._shown.marked:
                text = "✓"
            segments += [Segment(fitted(text, cells, column.right), cursor or self._style(role)), Segment(" ", cursor)]
        return Strip(segments).crop_extend(0, width, cursor or self.rich_style).apply_style(self.rich_style)

    def _style(self, role: str) -> Style:
        return role_style(self.rich_style, ROLES[role]) if role else self.rich_style

    def _refresh_row(self, place: int) -> None:
        y = place + 1 - self.scroll_offset.y
        if 1 <= y < self.size.height:
            self.refresh(Region(0, y, self.size.width, 1))

    def _keep_in_view(self) -> None:
        room = max(1, self.size.height - 1)
        top = self.scroll_offset.y
        if self._cursor < top:
            self.scroll_to(y=self._cursor, animate=False)
        elif self._cursor >= top + room:
            self.scroll_to(y=self._cursor - room + 1, animate=False)
