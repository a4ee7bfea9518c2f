"""Line view: a widget of styled text lines that sends to the terminal only what changed."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import ClassVar

from rich.cells import cell_len
from rich.segment import Segment
from textual.binding import Binding, BindingType
from textual.geometry import Region, Size
from textual.scroll_view import ScrollView
from textual.strip import Strip

from vlmft_console.app.widgets.base.role_style import ROLES, role_style

Part = tuple[str, str]
"""Text and its role: one of `ROLES`, or empty for plain text."""
Line = tuple[Part, ...]
"""One line; its parts stand beside each other."""


class LineView(ScrollView, can_focus=False):
    """Shows lines of text, never taken for markup. Foreign text comes through `literal.one_line`."""

    HEAD: ClassVar[int] = 0
    """So many lines stay at the top, whatever is scrolled."""
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("j", "scroll_down", "down", show=False),
        Binding("k", "scroll_up", "up", show=False),
    ]
    DEFAULT_CSS = """
    LineView {
        overflow-x: hidden;
        scrollbar-size: 1 1;
    }
    """

    def __init__(self, *, id: str | None = None, classes: str | None = None) -> None:
        super().__init__(id=id, classes=classes)
        self._lines: Sequence[Line] = ()
        self._drawn: dict[int, Line] = {}

    @property
    def room(self) -> int:
        """Cells beside the place of the scroll bar."""
        return self.scrollable_content_region.width

    @property
    def shown(self) -> Sequence[Line]:
        """The lines that were shown last."""
        return self._lines

    def on_resize(self) -> None:
        self.lay_out()

    def lay_out(self) -> None:
        """Make the lines for the room that there is now; subclasses whose lines depend on it do."""

    def show_lines(self, lines: Sequence[Line]) -> None:
        """Show `lines` instead of what was shown."""
        self._lines = lines
        self.virtual_size = Size(max((_width(line) for line in lines), default=0), len(lines))
        self.draw_changes()

    def draw_changes(self) -> None:
        """Of each line in view that is no longer what was drawn, draw no more than must be."""
        for y in range(self.size.height):
            old, new = self._drawn.get(y, ()), self.line(self._number(y))
            if old != new:
                first, last = _difference(old, new)
                self.refresh(Region(first - self.scroll_offset.x, y, last - first, 1))

    def line(self, number: int) -> Line:
        """Line `number`, counted from 0; empty beyond the last one."""
        return self._lines[number] if number < len(self._lines) else ()

    def render_line(self, y: int) -> Strip:
        """One visible line."""
        left, width, base = self.scroll_offset.x, self.size.width, self.rich_style
        self._drawn[y] = line = self.line(self._number(y))
        segments = [Segment(text, role_style(base, ROLES[role]) if role else base) for text, role in line]
        return Strip(segments).crop_extend(left, left + width, base)

    def _number(self, y: int) -> int:
        return y if y < self.HEAD else y + self.scroll_offset.y


def _width(line: Line) -> int:
    return sum(cell_len(text) for text, _ in line)


def _difference(old: Line, new: Line) -> tuple[int, int]:
    """The cells from the first to the last that differ; an empty range when none does. All of a line in which a
    character has two cells or none: how many several of those have together is no sum of theirs."""
    before, after = list(_characters(old)), list(_characters(new))
    if any(cell_len(character) != 1 for character, _ in (*before, *after)):
        return 0, max(_width(old), _width(new))
    blank = (" ", "")
    width = max(len(before), len(after))
    before += [blank] * (width - len(before))
    after += [blank] * (width - len(after))
    changed = [number for number in range(width) if before[number] != after[number]]
    return (changed[0], changed[-1] + 1) if changed else (0, 0)


def _characters(line: Line) -> Iterator[Part]:
    return ((character, role) for text, role in line for character in text)
