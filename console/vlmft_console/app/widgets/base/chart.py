"""Chart widget: shows a description, sends only what changed, and is steered from the keyboard."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import ClassVar

from rich.segment import Segment
from rich.style import Style
from textual import events
from textual.actions import SkipAction
from textual.binding import Binding, BindingType
from textual.geometry import Region
from textual.message import Message
from textual.strip import Strip
from textual.widget import Widget

from vlmft_console.app.tell import copy_text
from vlmft_console.app.widgets.base.role_style import RUN_ROLES, role_style
from vlmft_console.charts.draw import canvas_box, draw
from vlmft_console.charts.grid import Grid
from vlmft_console.charts.reading import reading_words
from vlmft_console.charts.smoothing import SHARES
from vlmft_console.charts.spec import ChartSpec
from vlmft_console.charts.styles import Look, speaks_unicode
from vlmft_console.charts.view import View, cross_moved, crossed, held_still, panned, window, zoomed

_ZOOM = 0.5
_PAN = 0.25
_ROLES = {
    "title": "bold",
    "title-focused": "bold $primary",
    "legend": "$secondary",
    "axis": "$secondary",
    "raw": "$primary 65%",
    "smooth": "bold $primary",
    "line": "$primary",
    "points": "$warning",
    "planned": "$secondary",
    "old": "$secondary 65%",
    "reference": "$secondary",
    "caution": "$warning",
    "stop": "bold $error",
    "not-finite": "bold $error",
    "best": "bold $success",
    "off-scale": "bold $accent",
    "crosshair": "bold",
    **RUN_ROLES,
}
"""What the styles of `charts.styles` are in the app; each stands out from the paper by 3:1 and more."""


class Chart(Widget, can_focus=True):
    """A chart of one run, or of several.

    Drawn anew it is compared with what is on the screen, and only the parts of lines that differ are sent.
    """

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("plus,equals_sign", "zoom(True)", "zoom in", key_display="+", show=False, tooltip="See half as much"),
        Binding("minus", "zoom(False)", "zoom out", key_display="-", show=False, tooltip="See twice as much"),
        Binding("left,h", "move(-1)", "left", show=False, tooltip="Earlier steps; with the crosshair on, moves it"),
        Binding("right,l", "move(1)", "right", show=False, tooltip="Later steps; with the crosshair on, moves it"),
        Binding("home", "whole", "whole run", show=False, tooltip="See the run from its first step to its last"),
        Binding("end", "follow(True)", "newest", show=False, tooltip="Go to the newest step and stay with it"),
        Binding("w", "follow", "follow", show=False, tooltip="Stay with the newest step, or hold still"),
        Binding("y", "copy", "copy", show=False, tooltip="With the crosshair on, copy what it reads to the clipboard"),
        Binding("c", "crosshair", "crosshair", tooltip="Read step and values off the curves"),
        Binding("g", "log", "log axis", tooltip="Logarithmic or linear values"),
        Binding("s", "smooth(1)", "smoother", show=False, tooltip="Average over more steps"),
        Binding("S", "smooth(-1)", "rougher", show=False, tooltip="Average over fewer steps"),
        Binding(
            "i",
            "picture('.svg')",
            "picture",
            show=False,
            tooltip="Write this chart to an SVG file in the current folder",
        ),
        Binding("I", "picture('.png')", "PNG", show=False, tooltip="Write it to a PNG file there"),
        Binding("f,enter", "full_screen", "full screen", tooltip="This chart alone, or all again"),
    ]
    DEFAULT_CSS = """
    Chart {
        width: 1fr;
        height: 1fr;
    }
    """

    @dataclass
    class SmoothingRequested(Message):
        """The person wants a smoother curve, or a rougher one."""

        chart: Chart
        change: int
        """1 for smoother, -1 for rougher."""

        def applied_to(self, share: float) -> float:
            """The share that comes after this one, or before it; the first and the last stay."""
            return SHARES[max(0, min(len(SHARES) - 1, SHARES.index(share) + self.change))]

        @property
        def control(self) -> Chart:
            return self.chart

    @dataclass
    class Looked(Message):
        """The person looks at another part, or reads off another place; charts beside this one may do the same."""

        chart: Chart

        @property
        def control(self) -> Chart:
            return self.chart

    @dataclass
    class PictureRequested(Message):
        """The person wants this chart, as far as it is seen, as a file."""

        chart: Chart
        ending: str
        """`.svg` or `.png`."""

        @property
        def control(self) -> Chart:
            return self.chart

    @dataclass
    class FullScreenRequested(Message):
        """The person wants this chart alone on the screen, or all of them again."""

        chart: Chart

        @property
        def control(self) -> Chart:
            return self.chart

    def __init__(self, spec: ChartSpec | None = None, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self._spec = spec or ChartSpec("")
        self._view = View()
        self._grid = Grid(0, 0)
        self._unicode = speaks_unicode()

    @property
    def spec(self) -> ChartSpec:
        """What is shown."""
        return self._spec

    @property
    def view(self) -> View:
        """Which part of it."""
        return self._view

    def show(self, spec: ChartSpec) -> None:
        """Show a new description, or the same one after its series have grown."""
        self._spec = spec
        self._redraw()

    def look_at(self, view: View) -> None:
        """Show another part."""
        self._view = view
        self._redraw()

    def look_like(self, view: View) -> None:
        """Show the part that another chart shows, and its crosshair; each keeps its own scale of y."""
        self.look_at(replace(view, log=self._view.log))

    def _look(self, view: View) -> None:
        """Show another part because the person wants to."""
        self.look_at(view)
        self.post_message(self.Looked(self))

    def render_line(self, y: int) -> Strip:
        if y >= self._grid.height:
            return Strip.blank(self.size.width, self.rich_style)
        pieces = [Segment(text, self._style(name)) for text, name in self._grid.runs(y)]
        return Strip(pieces, self._grid.width)

    def _style(self, name: str) -> Style:
        return role_style(self.rich_style, _ROLES[name]) if name else self.rich_style

    def _redraw(self) -> None:
        """Draw anew; send the differing parts of lines, or everything when the size has changed."""
        look = Look(self._unicode, color=not self.app.no_color)
        old, new = self._grid, draw(self._spec, self._view, *self.size, look, focused=self.has_focus)
        self._grid = new
        if (old.width, old.height) != (new.width, new.height):
            self.refresh()
            return
        changed = [Region(first, row, last - first, 1) for row, first, last in new.changes(old)]
        if changed:
            self.refresh(*changed)

    def on_resize(self) -> None:
        self._redraw()

    def watch_has_focus(self, has_focus: bool) -> None:
        super().watch_has_focus(has_focus)
        self._redraw()

    def on_click(self, event: events.Click) -> None:
        """Put the crosshair where the mouse points."""
        offset, seen = event.get_content_offset(self), window(self._spec, self._view, self._columns)
        box = canvas_box(*self.size)
        if offset is not None and seen is not None and 0 <= offset.x - box.left < box.columns:
            share = (offset.x - box.left + 0.5) / box.columns
            self._look(crossed(self._spec, self._view, self._columns, seen[0] + share * (seen[1] - seen[0])))

    def on_mouse_scroll_up(self, event: events.MouseScrollUp) -> None:
        """Zoom in; a chart that is not focused leaves the wheel to what it stands in."""
        if self.has_focus:
            event.stop()
            self.action_zoom(True)

    def on_mouse_scroll_down(self, event: events.MouseScrollDown) -> None:
        """Zoom out."""
        if self.has_focus:
            event.stop()
            self.action_zoom(False)

    @property
    def _columns(self) -> int:
        return canvas_box(*self.size).dots

    def action_zoom(self, closer: bool) -> None:
        """See half as much, or twice as much."""
        self._look(zoomed(self._spec, self._view, self._columns, _ZOOM if closer else 1 / _ZOOM))

    def action_move(self, direction: int) -> None:
        """Move the crosshair by a column, or without one the window by a part of its width."""
        if self._view.cross is None:
            self._look(panned(self._spec, self._view, self._columns, direction * _PAN))
        else:
            self._look(cross_moved(self._spec, self._view, self._columns, direction))

    def action_whole(self) -> None:
        """See the whole run."""
        self._look(replace(self._view, span=None, right=None))

    def action_follow(self, follow: bool | None = None) -> None:
        """Stay with the newest step, or hold still."""
        if follow or not self._view.follows:
            self._look(replace(self._view, right=None))
        else:
            self._look(held_still(self._spec, self._view, self._columns))

    def action_crosshair(self) -> None:
        """Crosshair on, at the newest point that is seen, or off."""
        seen = window(self._spec, self._view, self._columns)
        if self._view.cross is not None or seen is None:
            self.leave_crosshair()
        else:
            self._look(crossed(self._spec, self._view, self._columns, seen[1]))

    def action_copy(self) -> None:
        """Copy what the crosshair reads; without one the key is the screen's."""
        if self._view.cross is None:
            raise SkipAction
        copy_text(self, "  ".join([self._spec.title, *reading_words(self._spec, self._view.cross)]))

    def leave_crosshair(self) -> bool:
        """Take the crosshair away; whether there was one."""
        had = self._view.cross is not None
        if had:
            self._look(replace(self._view, cross=None))
        return had

    def action_log(self) -> None:
        """Logarithmic or linear values."""
        now = self._spec.log if self._view.log is None else self._view.log
        self.look_at(replace(self._view, log=not now))

    def action_smooth(self, change: int) -> None:
        """Ask for another smoothing."""
        self.post_message(self.SmoothingRequested(self, change))

    def action_picture(self, ending: str) -> None:
        """Ask for this chart as a file."""
        self.post_message(self.PictureRequested(self, ending))

    def action_full_screen(self) -> None:
        """Ask for this chart alone."""
        self.post_message(self.FullScreenRequested(self))
