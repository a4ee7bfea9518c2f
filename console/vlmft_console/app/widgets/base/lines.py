"""A widget of styled text lines that sends to the terminal only what changed."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import ClassVar

from rich.cells import cell_len
from rich.segment import Segment
from textual.geometry import Region, Size
from textual.scroll_view import ScrollView
from textual.strip import Strip

from vlmft_console.app.widgets.base.role_style import ROLES, role_style

Part = tuple[str, str]
"""Text and its role: one of `ROLES`, or empty for plain text."""
Row = tuple[Part, ...]
"""One line; its parts stand beside each other."""


class Lines(ScrollView, can_focus=False):
    """Shows rows of text, never taken for markup. Foreign text comes through `literal.one_line`."""

    ROLE_STYLES: ClassVar[Mapping[str, str]] = ROLES
    DEFAULT_CSS = """
    Lines {
        overflow-x: hidden;
        scrollbar-size: 1 1;
    }
    """

    def __init__(self, *, id: str | None = None, classes: str | None = None) -> None:
        super().__init__(id=id, classes=classes)
        self._rows: Sequence[Row] = ()

    @property
    def room(self) -> int:
        """Cells beside the place of the scroll bar."""
        return self.scrollable_content_region.width

    @property
    def rows(self) -> Sequence[Row]:
        """What is shown."""
        return self._rows

    def show_rows(self, rows: Sequence[Row]) -> None:
        """Show `rows` instead of what was shown; of a line that changed, no more is redrawn than must be."""
        before, self._rows = self._rows, rows
        size = Size(max((_width(row) for row in rows), default=0), len(rows))
        if size != self.virtual_size:
            self.virtual_size = size
        top = self.scroll_offset.y
        for y in range(top, min(max(len(before), len(rows)), top + self.size.height)):
            old, new = before[y] if y < len(before) else (), self.row(y)
            if old != new:
                first, last = _difference(old, new)
                self.refresh(Region(first - self.scroll_offset.x, y - top, last - first, 1))

    def row(self, number: int) -> Row:
        """Row `number`, counted from 0; empty beyond the last one."""
        return self._rows[number] if number < len(self._rows) else ()

    def render_line(self, y: int) -> Strip:
        """One visible line."""
        offset_x, offset_y = self.scroll_offset
        number, width = y + offset_y, self.size.width
        base = self.rich_style
        segments = [
            Segment(text, role_style(base, self.ROLE_STYLES[role]) if role else base) for text, role in self.row(number)
        ]
        return Strip(segments).crop_extend(offset_x, offset_x + width, base)


def _width(row: Row) -> int:
    return sum(cell_len(text) for text, _ in row)


def _difference(old: Row, new: Row) -> tuple[int, int]:
    """The cells from the first to the last that differ; an empty range when none does."""
    before, after = list(_cells(old)), list(_cells(new))
    blank = (" ", "")
    width = max(len(before), len(after))
    before += [blank] * (width - len(before))
    after += [blank] * (width - len(after))
    changed = [number for number in range(width) if before[number] != after[number]]
    return (changed[0], changed[-1] + 1) if changed else (0, 0)


def _cells(row: Row) -> Iterator[tuple[str, str]]:
    """Each cell of the row; a wide character fills its second one with an empty text."""
    for text, role in row:
        for character in text:
            yield character, role
            yield from [("", role)] * (cell_len(character) - 1)
