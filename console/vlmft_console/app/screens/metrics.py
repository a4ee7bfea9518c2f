"""Metrics screen: any metric of a log as a panel, chosen by name or pattern, for the next time too."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.screen import Screen
from textual.widgets import Static

from vlmft_console.app.messages import Entitle
from vlmft_console.app.tell import tell
from vlmft_console.app.widgets.base.key_bar import KeyBar
from vlmft_console.app.widgets.base.literal import literal, one_line
from vlmft_console.app.widgets.base.name_line import NameLine
from vlmft_console.app.widgets.base.panel_grid import PanelGrid
from vlmft_console.app.widgets.run.metric_choice import MetricChoice
from vlmft_console.charts.run_charts import metric_chart
from vlmft_console.charts.spec import ChartSpec
from vlmft_console.history.state import RunState
from vlmft_console.runs.quoted_words import quoted

LOOK_SECONDS = 1.0
"""Between two looks at whether the run has gone on."""
_WAITING = "The log is still being read, or holds no figures yet."


class MetricsScreen(Screen[None]):
    """A page of panels; zoom and crosshair are those of all.

    Args:
        name: of the run.
        state: gives the run as it is now; None before it has been read.
    """

    CSS_PATH = "metrics.tcss"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("slash", "choose", "choose", key_display="/", tooltip="Type names or patterns; nothing: all"),
        Binding("escape,q", "back", "leave", key_display="q", tooltip="Back to the run"),
    ]

    def __init__(self, name: str, state: Callable[[], RunState | None]) -> None:
        super().__init__()
        self.subject = name
        self._state = state
        self._seen: object = None

    def compose(self) -> ComposeResult:
        yield NameLine(id="title")
        yield Static(_WAITING, id="none", markup=False)
        yield PanelGrid()
        yield MetricChoice("panels")
        yield KeyBar()

    def on_mount(self) -> None:
        self._draw()
        self._grid.focus_panel()
        self.set_interval(LOOK_SECONDS, self._look)

    def on_screen_resume(self) -> None:
        self.app.post_message(Entitle(f"{self.subject} metrics"))

    @property
    def _grid(self) -> PanelGrid:
        return self.query_one(PanelGrid)

    @property
    def _choice(self) -> MetricChoice:
        return self.query_one(MetricChoice)

    def _look(self) -> None:
        """Draw anew if anything was added, and not so often that it costs much."""
        state = self._state()
        if (
            time.monotonic() >= self._grid.rested_at
            and self.is_current
            and state is not None
            and _amount(state) != self._seen
        ):
            self._draw()

    def _draw(self) -> None:
        """Show the panels of this page."""
        state = self._state()
        self._seen = state and _amount(state)
        there = [] if state is None else list(state.by_name)
        names = self._choice.names(there)

        def spec(name: str) -> ChartSpec:
            assert state is not None  # there would be no name
            return metric_chart(name, state).of(state)

        none = f"No metric matches. There are {', '.join(there)}" if there else _WAITING
        self.query_one("#none", Static).update(literal(one_line(none)))
        self.set_class(not names, "-none")
        self._grid.show(names, spec)
        self._entitle(len(names), len(there))

    def _entitle(self, shown: int, there: int) -> None:
        parts = [f"{shown} of {there} metrics", *filter(None, [self._grid.place])]
        chosen_by = f"   {quoted(self._choice.patterns)}" if self._choice.patterns else ""
        self.query_one("#title", NameLine).show("", self.subject, f"  {', '.join(parts)}{chosen_by}")

    def on_panel_grid_turned(self) -> None:
        state = self._state()
        there = [] if state is None else list(state.by_name)
        self._entitle(len(self._choice.names(there)), len(there))

    def on_chart_smoothing_requested(self) -> None:
        tell(self, "Figures stand here as they were logged. The run's own view smooths its loss.")

    def on_metric_choice_made(self) -> None:
        """Other panels are wanted, or the same."""
        self._grid.first_page()
        self._draw()
        self._grid.focus_panel()

    def action_choose(self) -> None:
        """Type names or patterns."""
        state = self._state()
        self._choice.ask([] if state is None else list(state.by_name))

    def action_back(self) -> None:
        """Take the crosshair away; show all panels; then leave."""
        if not self._grid.leave():
            self.dismiss()


def _amount(state: RunState) -> tuple[int, ...]:
    """Changes with every point."""
    return tuple(map(len, state.by_name.values()))
