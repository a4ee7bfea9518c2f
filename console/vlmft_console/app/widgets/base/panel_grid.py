"""Panel grid: charts beside and below each other, a page at a time; zoom and crosshair are those of all."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Container
from textual.message import Message

from vlmft_console.app.widgets.base.chart import Chart
from vlmft_console.app.widgets.base.focusing import focus_now
from vlmft_console.charts.spec import ChartSpec
from vlmft_console.charts.view import View

MOST = 12
"""Panels at once."""
_MOST_COLUMNS = 4
_SHARE = 0.015
"""Of a core, that drawing what has grown takes at most, apart from what the terminal is then sent."""


class PanelGrid(Container):
    """Shows as many panels as there is room for.

    Args:
        least: columns and rows that a panel has at least.
    """

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("n,pagedown", "turn(1)", "next page", key_display="n", tooltip="The next panels"),
        Binding("N,pageup", "turn(-1)", "page before", show=False, tooltip="The panels before"),
        Binding("tab", "next_panel(1)", "next panel", show=False, tooltip="The next panel"),
        Binding("shift+tab", "next_panel(-1)", "panel before", show=False, tooltip="The panel before"),
        *(
            Binding(str(number), f"choose({number})", "panel", show=False, tooltip=f"Panel {number} of those shown")
            for number in range(1, 10)
        ),
    ]
    DEFAULT_CSS = """
    PanelGrid {
        layout: grid;
        grid-gutter: 0 1;
        height: 1fr;
    }
    """

    @dataclass
    class Turned(Message):
        """Other panels are shown, or another one has the keys."""

    @dataclass
    class Looked(Message):
        """All panels show another part, or read off another place."""

    def __init__(self, least: tuple[int, int] = (40, 9)) -> None:
        super().__init__()
        self._least = least
        self._names: Sequence[str] = ()
        self._spec_of: Callable[[str], ChartSpec] | None = None
        self._fit = 1
        self._page = 0
        self._full = False
        self._shown: list[str] = []
        self.rested_at = 0.0
        """When to draw again what has grown, by the monotonic clock: with many points drawing takes longer."""

    def compose(self) -> ComposeResult:
        for _ in range(MOST):
            yield Chart()

    @property
    def view(self) -> View:
        """The part that all panels show."""
        return self._charts[0].view

    @property
    def place(self) -> str:
        """`page 2 of 3`; empty where there is one only."""
        pages = self._pages
        return f"page {self._page + 1} of {pages}" if pages > 1 else ""

    @property
    def chosen(self) -> str:
        """Name of the panel that has the keys, or of the first."""
        at = next((number for number, chart in enumerate(self._charts) if chart.has_focus), 0)
        return self._shown[at] if at < len(self._shown) else ""

    def show(self, names: Sequence[str], spec_of: Callable[[str], ChartSpec]) -> None:
        """Show these panels, or those on the screen as they are now.

        Args:
            names: of all panels, on this page or another.
            spec_of: draws one.
        """
        began = time.thread_time()
        self._names, self._spec_of = names, spec_of
        self._arrange()
        self.rested_at = time.monotonic() + (time.thread_time() - began) / _SHARE

    def look_at(self, view: View) -> None:
        """Show another part in all panels."""
        for chart in self._charts:
            chart.look_like(view)

    def first_page(self) -> None:
        """Go back to the first panels."""
        self._page = 0
        self._arrange()

    def focus_panel(self) -> None:
        """Give the keys to the first panel that is shown."""
        focus_now(next((chart for chart in self._charts if chart.display), self._charts[0]))

    def leave(self) -> bool:
        """Take the crosshair away, or show all panels again; whether there was either."""
        if self._charts[0].leave_crosshair():  # it is that of all
            return True
        if self._full:
            self._give_room()
            return True
        return False

    @property
    def _charts(self) -> list[Chart]:
        return list(self.query(Chart))

    @property
    def _pages(self) -> int:
        return max(1, -(-len(self._names) // self._fit))

    def on_resize(self) -> None:
        self._arrange()

    def on_descendant_focus(self) -> None:
        self.post_message(self.Turned())

    def _arrange(self) -> None:
        """Lay out the panels of this page."""
        spec_of = self._spec_of
        if not self.size or spec_of is None:
            return
        columns = max(1, min(_MOST_COLUMNS, (self.size.width + 1) // self._least[0]))
        self._fit = columns * max(1, min(MOST // columns, self.size.height // self._least[1]))
        before, self._page = self.place, min(self._page, self._pages - 1)
        shown = list(self._names[self._page * self._fit : (self._page + 1) * self._fit])
        moved, self._shown = (shown, self.place) != (self._shown, before), shown
        self.styles.grid_size_columns = 1 if self._full else max(1, min(columns, len(shown)))
        alone = self._alone() if self._full else None
        for number, chart in enumerate(self._charts):
            chart.display = number < len(shown) and (alone is None or chart is alone)
            if chart.display:
                chart.show(spec_of(shown[number]))
        if shown and self.screen.focused is None:  # a panel that was not shown any more lost the keys
            self.focus_panel()
        if moved:
            self.post_message(self.Turned())

    def _alone(self) -> Chart:
        charts = self._charts
        return next((chart for chart in charts if chart.has_focus), charts[0])

    def on_chart_looked(self, message: Chart.Looked) -> None:
        """All panels show the same steps, and the crosshair at the same one."""
        message.stop()
        for chart in self._charts:
            if chart is not message.chart:
                chart.look_like(message.chart.view)
        self.post_message(self.Looked())

    def on_chart_full_screen_requested(self, message: Chart.FullScreenRequested) -> None:
        message.stop()
        self._give_room()

    def _give_room(self) -> None:
        """This panel alone, or all again."""
        self._full = not self._full
        self._arrange()

    def action_turn(self, by: int) -> None:
        """Show other panels."""
        page = max(0, min(self._pages - 1, self._page + by))
        if page != self._page and not self._full:
            self._page = page
            self._arrange()
            focus_now(self._charts[0])

    def action_next_panel(self, by: int) -> None:
        """Go to the panel after this one, or before it."""
        count = len(self._shown)
        if count:
            here = next((number for number, chart in enumerate(self._charts) if chart.has_focus), -1)
            self.action_choose((here + by) % count + 1)

    def action_choose(self, number: int) -> None:
        """Go to panel `number` of those shown, from 1; where one has all the room, that one has it then."""
        if not 1 <= number <= len(self._shown):
            return
        chart = self._charts[number - 1]
        chart.display = True
        focus_now(chart)
        if self._full:
            self.call_next(self._arrange)
