"""Row list: rows in columns under their titles, for runs and presets, with a cursor and marks."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace

from rich.cells import cell_len
from textual.message import Message

from vlmft_console.app.widgets.base.cells import Cell, ColumnSpec, cells_line, fit_columns, fitted, titles_line
from vlmft_console.app.widgets.base.cursor_list import CursorList
from vlmft_console.app.widgets.base.line_view import Line
from vlmft_console.app.widgets.base.literal import one_line


@dataclass(frozen=True)
class ListRow:
    """One line of the list."""

    key: str
    """Which thing it stands for; unique in the list."""
    cells: tuple[Cell, ...]
    """One for each column; a single one has the line for itself."""


class RowList(CursorList):
    """Rows under a line of column titles. Columns that do not fit are left out, the least important first; one that
    stretches takes no more than its longest text, so that the next one has the rest.

    Args:
        columns: what the cells of every row are.
    """

    HEAD = 1

    class Scrolled(Message):
        """Other rows are on the screen than before."""

    def __init__(self, columns: Sequence[ColumnSpec], *, id: str | None = None) -> None:
        super().__init__(id=id)
        self._columns = self._laid = tuple(columns)
        self._rows: tuple[ListRow, ...] = ()
        self._marked: frozenset[str] = frozenset()

    def visible_keys(self) -> list[str]:
        """The keys of the rows that are on the screen."""
        top = self.scroll_offset.y
        return self.keys[top : top + max(0, self.size.height - self.HEAD)]

    def is_cut(self, column: int, text: str) -> bool:
        """Whether a text has not the room that it needs in one of the columns."""
        _, room = fit_columns(self._laid, self.room).get(column, (None, 0))
        return cell_len(one_line(text)) > room

    def show(self, rows: Sequence[ListRow], marked: Collection[str] = ()) -> None:
        """Show these rows, those with a key in `marked` with a mark in the first column."""
        self._rows, self._marked = tuple(rows), frozenset(marked)
        self._laid = tuple(
            _no_wider(column, [row.cells[number] for row in rows if len(row.cells) > 1])
            for number, column in enumerate(self._columns)
        )
        self.show_keys([row.key for row in rows])

    def head(self) -> Line:
        titles = titles_line(self._laid, self.room)[:-1]
        return (("".join(text for text, _ in titles), "title"),)

    def row(self, place: int) -> Line:
        row = self._rows[place]
        if len(row.cells) == 1:
            return ((fitted(row.cells[0].text, self.room), row.cells[0].role),)
        cells = (Cell("●", row.cells[0].role), *row.cells[1:]) if row.key in self._marked else row.cells
        return cells_line(cells, self._laid, self.room)

    def on_resize(self) -> None:
        self.post_message(self.Scrolled())

    def watch_scroll_y(self, old_value: float, new_value: float) -> None:
        super().watch_scroll_y(old_value, new_value)
        self.post_message(self.Scrolled())


def _no_wider(column: ColumnSpec, cells: Sequence[Cell]) -> ColumnSpec:
    """The column, not stretching beyond what these cells and its title need."""
    if not column.stretches:
        return column
    needed = max(cell_len(one_line(text)) for text in (column.title, *(cell.text for cell in cells)))
    return replace(column, widest=max(column.width, min(column.widest, needed)))
