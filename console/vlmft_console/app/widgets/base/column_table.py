"""A table whose columns are things to choose between: presets, or runs. One column is chosen, and stays in view."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
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

from vlmft_console.app.widgets.base.cells import Cell, fitted
from vlmft_console.app.widgets.base.literal import one_line
from vlmft_console.app.widgets.base.role_style import CURSOR, ROLES, role_style

MORE_LEFT, MORE_RIGHT = "←", "→"
_TITLE = "bold $secondary"
_LABEL, _NARROWEST = 14, 8
"""Cells of the labels and of a column that they never go below, where there are so many."""
_GAP = 2


@dataclass(frozen=True)
class TableRow:
    """One line: its label, and a cell for each column."""

    label: Cell
    cells: tuple[Cell, ...]


class ColumnTable(ScrollView, can_focus=True, inherit_bindings=False):
    """Rows of values under column titles; the chosen column's title is in brackets.

    Columns are as wide as what stands in them. Where they do not all fit, those around the chosen one are shown, and
    the first line says which one of how many it is and on which sides there are more.
    """

    ALLOW_SELECT = False
    DEFAULT_CSS = """
    ColumnTable {
        overflow-x: hidden;
        scrollbar-size-vertical: 1;
        background: $background;
        color: $foreground;
    }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("right,l", "choose(1)", "next", key_display="→", show=False, tooltip="Choose the column to the right"),
        Binding("left,h", "choose(-1)", "before", key_display="←", show=False, tooltip="Choose the column to the left"),
        Binding("j,down", "scroll(1)", "down", show=False),
        Binding("k,up", "scroll(-1)", "up", show=False),
        Binding("g,home", "scroll_home", "first", show=False),
        Binding("G,end", "scroll_end", "last", show=False),
        Binding("ctrl+d,pagedown", "page(1)", "page down", show=False),
        Binding("ctrl+u,pageup", "page(-1)", "page up", show=False),
    ]

    @dataclass
    class ColumnChosen(Message):
        """Another column is the chosen one."""

        number: int
        """Counted from 0."""

    def __init__(self, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self._titles: tuple[str, ...] = ()
        self._rows: tuple[TableRow, ...] = ()
        self._needed: tuple[int, ...] = ()
        self._label_cells = _LABEL
        self._chosen = 0
        self._first = 0
        self._labels = _LABEL
        self._shown: dict[int, int] = {}
        self._arranged_for = 0

    @property
    def chosen(self) -> int:
        """Number of the chosen column, from 0."""
        return self._chosen

    def show_table(self, titles: Sequence[str], rows: Sequence[TableRow], chosen: int | None = None) -> None:
        """Show this table; lines that are the same stay untouched.

        Args:
            titles: one for each column.
            rows: the lines, with as many cells each.
            chosen: the column to choose; None keeps the one that is.
        """
        before = (self._titles, self._needed, self._label_cells, self._chosen, len(self._rows))
        old, self._rows, self._titles = self._rows, tuple(rows), tuple(titles)
        self._chosen = max(0, min(self._chosen if chosen is None else chosen, len(titles) - 1))
        self._needed = tuple(max((_width(row.cells[n]) for row in rows), default=0) for n in range(len(titles)))
        self._label_cells = max([_LABEL, *(_width(row.label) for row in rows)])
        self.virtual_size = Size(0, len(rows) + 1)
        self._arrange()
        if before != (self._titles, self._needed, self._label_cells, self._chosen, len(self._rows)):
            self.refresh()
            return
        for place, (was, now) in enumerate(zip(old, self._rows, strict=True)):
            y = place + 1 - self.scroll_offset.y
            if was != now and 1 <= y < self.size.height:
                self.refresh(Region(0, y, self.size.width, 1))

    def action_choose(self, by: int) -> None:
        place = max(0, min(self._chosen + by, len(self._titles) - 1))
        if place != self._chosen:
            self._chosen = place
            self._arrange()
            self.refresh()
            self.post_message(self.ColumnChosen(place))

    def action_scroll(self, by: int) -> None:
        self.scroll_relative(y=by, animate=False)

    def action_page(self, by: int) -> None:
        self.scroll_relative(y=by * max(1, self.size.height - 2), animate=False)

    def action_scroll_home(self) -> None:
        self.scroll_to(y=0, animate=False)

    def action_scroll_end(self) -> None:
        self.scroll_to(y=self.virtual_size.height, animate=False)

    def on_click(self, event: events.Click) -> None:
        """A click chooses its column."""
        right = self._labels
        for number, cells in self._shown.items():
            right += _GAP + cells
            if self._labels < event.x < right:
                self.action_choose(number - self._chosen)
                return

    def render_line(self, y: int) -> Strip:
        width = self.size.width
        if width != self._arranged_for:  # the first line may be asked for before the size is told
            self._arrange()
        place = y - 1 + self.scroll_offset.y
        segments: list[Segment] = []
        if y == 0:
            style = role_style(self.rich_style, _TITLE)
            segments.append(Segment(fitted(self._place_words(), self._labels), style))
            for number, cells in self._shown.items():
                here, title = number == self._chosen, self._titles[number]
                text = f"[{fitted(title, min(cells, _title_cells(title)) - 1)}]" if here else f" {title}"
                shown = role_style(self.rich_style, CURSOR) if here else style
                segments += [Segment(" " * (_GAP - 1)), Segment(fitted(text, cells + 1), shown)]
        elif place < len(self._rows):
            row = self._rows[place]
            segments.append(Segment(fitted(row.label.text, self._labels), self._style(row.label.role)))
            for number, cells in self._shown.items():
                cell = row.cells[number]
                segments += [Segment(" " * _GAP), Segment(fitted(cell.text, cells), self._style(cell.role))]
        return Strip(segments).crop_extend(0, width, self.rich_style).apply_style(self.rich_style)

    def _style(self, role: str) -> Style:
        return role_style(self.rich_style, ROLES[role]) if role else self.rich_style

    def _place_words(self) -> str:
        """`← 3 of 6 →` where not all columns are shown: each sign where there are more on its side."""
        count = len(self._titles)
        if len(self._shown) in (0, count):
            return ""
        left = MORE_LEFT if min(self._shown) > 0 else " "
        right = MORE_RIGHT if max(self._shown) < count - 1 else " "
        return f"{left} {self._chosen + 1} of {count} {right}"

    def _arrange(self) -> None:
        """Decide which columns are shown, and how wide each is."""
        width = self._arranged_for = self.size.width
        if not self._titles or not width:
            self._shown = {}
            return
        self._labels = min(self._label_cells, max(_LABEL, min(width // 3, max(30, width // 4))))
        room = width - self._labels
        least = [min(max(_NARROWEST, needed), max(1, room - _GAP)) for needed in self._needed]
        shown = self._window(least, room)
        sizes = {number: least[number] for number in shown}
        spare = room - sum(cells + _GAP for cells in sizes.values())
        while spare > 0:  # what is left goes to titles that are longer than their columns, a cell at a time
            wanting = [number for number in shown if sizes[number] < _title_cells(self._titles[number])]
            if not wanting:
                break
            for number in sorted(wanting, key=sizes.__getitem__)[:spare]:
                sizes[number] += 1
                spare -= 1
        self._shown = sizes

    def _window(self, sizes: Sequence[int], room: int) -> range:
        """The columns that fit, the chosen one among them; no other than before where that can be."""
        first = min(self._first, self._chosen)
        while first < self._chosen and sum(each + _GAP for each in sizes[first : self._chosen + 1]) > room:
            first += 1
        last = self._chosen
        while last + 1 < len(sizes) and sum(each + _GAP for each in sizes[first : last + 2]) <= room:
            last += 1
        while first > 0 and sum(each + _GAP for each in sizes[first - 1 : last + 1]) <= room:
            first -= 1
        self._first = first
        return range(first, last + 1)


def _width(cell: Cell) -> int:
    return cell_len(one_line(cell.text))


def _title_cells(title: str) -> int:
    """Cells of a title with its closing bracket; the opening one stands before the column."""
    return cell_len(one_line(title)) + 1
