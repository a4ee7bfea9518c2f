"""Column table: a table whose columns are things to choose between, presets or runs, with a cursor over the columns."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

from rich.cells import cell_len
from textual.binding import Binding, BindingType

from vlmft_console.app.widgets.base.cells import Cell, cut_in_the_middle, fitted
from vlmft_console.app.widgets.base.cursor_list import CursorList
from vlmft_console.app.widgets.base.line_view import Line
from vlmft_console.app.widgets.base.literal import one_line

MORE_LEFT, MORE_RIGHT = "←", "→"
_LABEL, _NARROWEST = 14, 7
"""Cells of the labels and of a column that they never go below, where there are so many."""
_READABLE = 19
"""Cells of the labels that they do not go below so that one more column is seen."""
_GAP = 2
"""Cells between columns, one of which is given up where all columns are seen then."""


@dataclass(frozen=True)
class TableRow:
    """One line: its label, and a cell for each column."""

    label: Cell
    cells: tuple[Cell, ...]


class ColumnTable(CursorList, inherit_bindings=False):
    """Rows of values under column titles; the title of the column under the cursor is in brackets.

    Columns are as wide as what stands in them. Where they do not all fit, those around the chosen one are shown, and
    the first line says which one of how many it is and on which sides there are more.
    """

    HEAD = 1
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("right,l", "choose(1)", "next", key_display="→", show=False, tooltip="Choose the column to the right"),
        Binding("left,h", "choose(-1)", "before", key_display="←", show=False, tooltip="Choose the column to the left"),
        *CursorList.BINDINGS,
    ]

    def __init__(self, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self._rows: tuple[TableRow, ...] = ()
        self._needed: tuple[int, ...] = ()
        self._label_cells = _LABEL
        self._first = 0
        self._labels = _LABEL
        self._shown: dict[int, int] = {}
        self._gap = _GAP
        self._arranged_for = 0

    def show_table(self, titles: Sequence[str], rows: Sequence[TableRow], cursor: str = "") -> None:
        """Show this table.

        Args:
            titles: one for each column, each another.
            rows: the lines, with as many cells each.
            cursor: title of the column to put the cursor on; empty keeps it where it is.
        """
        self._rows = tuple(rows)
        self._needed = tuple(max((_width(row.cells[n]) for row in rows), default=0) for n in range(len(titles)))
        self._label_cells = max([_LABEL, *(_width(row.label) for row in rows)])
        self._arranged_for = 0
        self.show_keys(titles, cursor)

    @property
    def row_count(self) -> int:
        return len(self._rows)

    def action_choose(self, by: int) -> None:
        self.move_to(self._place + by)

    def action_move(self, by: int) -> None:
        self.scroll_relative(y=by, animate=False)

    def keep_in_view(self) -> None:
        self._arrange()

    def place_at(self, x: int, y: int) -> int | None:
        right = self._labels
        for number, cells in self._shown.items():
            right += self._gap + cells
            if self._labels < x < right:
                return number
        return None

    def line(self, number: int) -> Line:
        if self.room != self._arranged_for:  # a line may be asked for before the size is told
            self._arrange()
        if number == 0:
            return self.head()
        return self.row(number - 1) if number <= self.row_count else ()

    def head(self) -> Line:
        parts = [(fitted(self._place_words(), self._labels), "title")]
        for number, cells in self._shown.items():
            here, title = number == self._place, self._keys[number]
            within = cut_in_the_middle(title, min(cells, _title_cells(title)) - here)
            text = f"[{within}]" if here else f" {within}"
            parts += [(" " * (self._gap - 1), ""), (fitted(text, cells + 1), "chosen" if here else "title")]
        return tuple(parts)

    def row(self, place: int) -> Line:
        row = self._rows[place]
        parts = [(fitted(row.label.text, self._labels), row.label.role)]
        for number, cells in self._shown.items():
            parts += [(" " * self._gap, ""), (fitted(row.cells[number].text, cells), row.cells[number].role)]
        return tuple(parts)

    def _place_words(self) -> str:
        """`← 3 of 6 →` where not all columns are shown: each sign where there are more on its side."""
        count = len(self._keys)
        if len(self._shown) in (0, count):
            return ""
        left = MORE_LEFT if min(self._shown) > 0 else " "
        right = MORE_RIGHT if max(self._shown) < count - 1 else " "
        return f"{left} {self._place + 1} of {count} {right}"

    def _arrange(self) -> None:
        """Decide which columns are shown, and how wide each is."""
        width = self._arranged_for = self.room
        if not self._keys or not width:
            self._shown = {}
            return
        self._labels = min(self._label_cells, max(_LABEL, min(width // 3, max(30, width // 4))))
        least = [max(_NARROWEST, needed) for needed in self._needed]
        closely = width - sum(least) - len(least)  # what that leaves the labels
        fits = sum(least) + len(least) * _GAP <= width - self._labels
        self._gap = 1 if not fits and closely >= min(self._labels, _READABLE) else _GAP
        if self._gap < _GAP:
            self._labels = min(self._labels, closely)
        room = width - self._labels
        least = [min(cells, max(1, room - self._gap)) for cells in least]
        shown = self._window(least, room)
        sizes = {number: least[number] for number in shown}
        spare = room - sum(cells + self._gap for cells in sizes.values())
        while spare > 0:  # what is left goes to titles that are longer than their columns, a cell at a time
            wanting = [number for number in shown if sizes[number] < _title_cells(self._keys[number])]
            if not wanting:
                break
            for number in sorted(wanting, key=sizes.__getitem__)[:spare]:
                sizes[number] += 1
                spare -= 1
        self._shown = sizes

    def _window(self, sizes: Sequence[int], room: int) -> range:
        """The columns that fit, the chosen one among them; no other than before where that can be."""
        first = min(self._first, self._place)
        while first < self._place and sum(each + self._gap for each in sizes[first : self._place + 1]) > room:
            first += 1
        last = self._place
        while last + 1 < len(sizes) and sum(each + self._gap for each in sizes[first : last + 2]) <= room:
            last += 1
        while first > 0 and sum(each + self._gap for each in sizes[first - 1 : last + 1]) <= room:
            first -= 1
        self._first = first
        return range(first, last + 1)


def _width(cell: Cell) -> int:
    return cell_len(one_line(cell.text))


def _title_cells(title: str) -> int:
    """Cells of a title with its closing bracket; the opening one stands before the column."""
    return cell_len(one_line(title)) + 1
