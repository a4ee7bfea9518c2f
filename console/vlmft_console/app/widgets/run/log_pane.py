"""Log pane: the end of a plain log, with search."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable
from typing import ClassVar

from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.geometry import Region, Size
from textual.widgets import Input

from vlmft_console.app.widgets.base.focusing import focus_now
from vlmft_console.app.widgets.base.line_view import Line, LineView, Part
from vlmft_console.app.widgets.base.readout import Readout
from vlmft_console.sanitize import sanitize

KEPT_LINES = 5000
"""The oldest lines are forgotten beyond this many, …"""
_DROPPED = 1000
"""… so many at once, as every drop redraws the whole pane."""


class LogLines(LineView, can_focus=True):
    """The lines themselves. While it follows, the view moves on by half a page at a time: sending every visible line
    anew for each line that comes would take most of what a slow link can carry."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("j,down", "line(1)", "down", show=False),
        Binding("k,up", "line(-1)", "up", show=False),
        Binding("h", "scroll_left", "left", show=False),
        Binding("l", "scroll_right", "right", show=False),
        Binding("g,home", "oldest", "first line", show=False),
        Binding("G,end", "newest", "last line", show=False),
    ]
    DEFAULT_CSS = """
    LogLines {
        overflow-x: auto;
        scrollbar-size: 0 1;
    }
    """

    def __init__(self) -> None:
        super().__init__()
        self.lines: list[str] = []
        self.pending = ""
        self.searched = ""
        self.following = True
        self._widest = 0
        self._found = 0

    def line(self, number: int) -> Line:
        """Line `number` with what was searched for highlighted."""
        if number > len(self.lines):
            return ()
        text = self.lines[number] if number < len(self.lines) else self.pending
        return tuple(_highlighted(text, self.searched, "found" if number == self._found else "match"))

    def add(self, lines: Iterable[str], pending: str) -> None:
        """Append lines; `pending` is the one that is still being written."""
        fresh = [sanitize(line).expandtabs(4) for line in lines]
        pending = sanitize(pending).expandtabs(4)
        if not fresh and pending == self.pending:
            return
        first = len(self.lines)
        self.lines += fresh
        self.pending = pending
        self._widest = max(self._widest, *(len(line) for line in (*fresh, pending)))
        if len(self.lines) > KEPT_LINES:
            dropped = len(self.lines) - KEPT_LINES + _DROPPED
            del self.lines[:dropped]
            self._found = max(0, self._found - dropped)
            self.refresh()
        self.lay_out()
        self.refresh(Region(0, first - self.scroll_offset.y, self.size.width, len(fresh) + 1))

    def find(self, text: str, distance: int) -> tuple[int, int]:
        """Bring a line that holds `text`, whatever its case, to the middle of the view.

        Args:
            text: what to search for.
            distance: 0 for the newest line with it, 1 for the next one down from the last found, -1 for up. At either
                end the search goes on at the other.

        Returns:
            Which one it is, counted from 1 at the top, and how many there are; two zeros when no line holds it.
        """
        self.searched = text
        self.refresh()
        wanted = text.casefold()
        places = [number for number, line in enumerate(self.lines) if wanted in line.casefold()]
        if not places:
            return 0, 0
        below = bisect_left(places, self._found)
        if distance == 0:
            at = len(places) - 1
        elif distance < 0:
            at = (below - 1) % len(places)
        else:
            at = (below + (below < len(places) and places[below] == self._found)) % len(places)
        self._found = places[at]
        self.follow(False)
        self._move(self._found - self.size.height // 2)
        return at + 1, len(places)

    def follow(self, wanted: bool) -> None:
        """Keep the newest line in view, or stay where the reader is."""
        self.following = wanted
        self.lay_out()

    def action_line(self, distance: int) -> None:
        """Move the view by lines, at once: a move that waits for the next frame would undo a later key."""
        self._move(self.scroll_offset.y + distance)

    def action_oldest(self) -> None:
        """Go to the first line and stay there."""
        self.following = False
        self._move(0)

    def action_newest(self) -> None:
        """Go to the newest line and stay with it, also when there is none yet."""
        self.follow(True)

    def watch_scroll_y(self, old_value: float, new_value: float) -> None:
        super().watch_scroll_y(old_value, new_value)
        self.following = (self.following and new_value >= old_value) or new_value >= self.max_scroll_y

    def lay_out(self) -> None:
        """Below the newest line there is room for half a page, so that not every line moves all others."""
        height = max(1, self.size.height)
        half = max(1, height // 2)
        count = len(self.lines) + bool(self.pending)
        padded = count if count <= height else height + -(-(count - height) // half) * half
        size = Size(self._widest, padded)
        if size != self.virtual_size:
            self.virtual_size = size
        if self.following:
            self._move(padded - height)

    def _move(self, y: int) -> None:
        self.scroll_to(y=max(0, y), animate=False, immediate=True, force=True)


class LogPane(Vertical):
    """Log lines and, when it is asked for, a place to type what to search."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("slash", "search", "search", tooltip="Find text in the log"),
        Binding("n", "next(1)", "next match", show=False, tooltip="Go to the next line that holds what was searched"),
        Binding("N", "next(-1)", "match before", show=False, tooltip="Go to the one before"),
        Binding("F", "follow", "follow", tooltip="Stay with the newest line, or hold still"),
        Binding("escape", "leave_search", "end search", show=False),
    ]
    DEFAULT_CSS = """
    LogPane {
        & > LogLines { height: 1fr; padding: 0 1; }
        & > Input { padding: 0 1; display: none; }
        & > Readout { margin-left: 1; }
    }
    """

    def compose(self) -> ComposeResult:
        yield LogLines()
        yield Readout()
        yield Input(placeholder="search the log", select_on_focus=True, compact=True)

    def on_mount(self) -> None:
        self.query_one(Input).cursor_blink = False

    @property
    def log_lines(self) -> LogLines:
        """The lines."""
        return self.query_one(LogLines)

    def add(self, lines: Iterable[str], pending: str = "") -> None:
        """Append lines as they stand in the log; `pending` is the one that is still being written."""
        self.log_lines.add(lines, pending)

    def action_search(self) -> None:
        """Ask what to search for."""
        box = self.query_one(Input)
        box.display = True
        focus_now(box)

    def action_next(self, distance: int) -> None:
        """Go to the next line with what was searched for, or the one before."""
        if not self.log_lines.searched:
            self.action_search()
        else:
            self._find(distance)

    def _find(self, distance: int) -> None:
        at, count = self.log_lines.find(self.log_lines.searched, distance)
        self.query_one(Readout).show(f"match {at:,} of {count:,}" if count else "no line holds that", "dim")

    def action_follow(self) -> None:
        """Keep the newest line in view, or stop that."""
        self.log_lines.follow(not self.log_lines.following)

    @on(Input.Submitted)
    def _searched(self, event: Input.Submitted) -> None:
        event.stop()
        self.log_lines.searched = event.value
        self._leave_box()
        if event.value:
            self._find(0)
        else:
            self.query_one(Readout).show("")
            self.log_lines.refresh()

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """There is a search to end only while the box is open; otherwise the key means something to the screen."""
        return action != "leave_search" or self.query_one(Input).display

    def action_leave_search(self) -> None:
        """Close the search box."""
        self._leave_box()

    def _leave_box(self) -> None:
        self.query_one(Input).display = False
        focus_now(self.log_lines)


def _highlighted(text: str, searched: str, role: str) -> Iterable[Part]:
    wanted, at = searched.casefold(), 0
    folded = text.casefold()
    if not wanted or len(folded) != len(text):  # some letters grow when their case is folded: no places to mark then
        yield text, ""
        return
    while (found := folded.find(wanted, at)) >= 0:
        yield text[at:found], ""
        yield text[found : found + len(wanted)], role
        at = found + len(wanted)
    yield text[at:], ""
