"""Metrics screen: any metric of a log as a panel, chosen by name or pattern, for the next time too."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Container
from textual.screen import Screen
from textual.widgets import Static

from vlmft_console.app.messages import Entitle
from vlmft_console.app.settings import keep, kept_settings
from vlmft_console.app.widgets.base.chart import Chart
from vlmft_console.app.widgets.base.focusing import focus_now
from vlmft_console.app.widgets.base.key_bar import KeyBar
from vlmft_console.app.widgets.base.literal import literal, one_line
from vlmft_console.app.widgets.base.tell import tell
from vlmft_console.app.widgets.base.typed_line import TypedLine
from vlmft_console.charts.run_charts import CHARTS, metric_chart
from vlmft_console.history.chosen import chosen
from vlmft_console.history.state import RunState
from vlmft_core.errors import VlmftError

MOST = 12
"""Panels at once."""
LOOK_SECONDS = 1.0
"""Between two looks at whether the run has gone on."""
_COLUMN, _ROW = 40, 9
"""Cells that a panel has at least."""
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
        Binding("n,pagedown", "turn(1)", "next page", key_display="n", tooltip="The next panels"),
        Binding("N,pageup", "turn(-1)", "page before", show=False, tooltip="The panels before"),
        Binding("tab", "next_panel(1)", "next panel", show=False, tooltip="The next panel"),
        Binding("shift+tab", "next_panel(-1)", "panel before", show=False, tooltip="The panel before"),
        Binding("escape,q", "back", "leave", key_display="q", tooltip="Back to the run"),
    ]

    def __init__(self, name: str, state: Callable[[], RunState | None]) -> None:
        super().__init__()
        self._run = name
        self._state = state
        self._patterns: tuple[str, ...] = ()
        self._page = 0
        self._full = False
        self._seen: object = None

    def compose(self) -> ComposeResult:
        yield Static("", id="title", markup=False)
        yield Static(_WAITING, id="none", markup=False)
        with Container(id="grid"):
            for _ in range(MOST):
                yield Chart()
        yield TypedLine(id="patterns")
        yield KeyBar()

    def on_mount(self) -> None:
        try:
            self._patterns = kept_settings().panels
        except VlmftError as error:
            tell(self, str(error), problem=True)
        self._arrange()
        focus_now(self._charts[0])
        self.set_interval(LOOK_SECONDS, self._look)

    def on_screen_resume(self) -> None:
        self.app.post_message(Entitle(f"{self._run} metrics"))

    def on_resize(self) -> None:
        self._arrange()

    @property
    def _charts(self) -> list[Chart]:
        return list(self.query(Chart))

    def _names(self, state: RunState, patterns: Sequence[str]) -> list[str]:
        """What the patterns mean in this log; a pattern that matches nothing here may do so in another."""
        found: dict[str, None] = {}
        for pattern in patterns:
            try:
                found |= dict.fromkeys(chosen([pattern], state.by_name, CHARTS))
            except VlmftError:  # it was tried when it was typed
                continue
        return list(found) if patterns else list(state.by_name)

    def _look(self) -> None:
        """Draw anew if anything was added."""
        state = self._state()
        if state is not None and _amount(state) != self._seen:
            self._arrange()

    def _arrange(self) -> None:
        """Show the panels of this page, as many as fit."""
        state = self._state()
        names = [] if state is None else self._names(state, self._patterns)
        columns = max(1, min(4, self.app.size.width // _COLUMN))
        fit = columns * max(1, min(MOST // columns, (self.app.size.height - 3) // _ROW))
        pages = max(1, -(-len(names) // fit))
        self._page = min(self._page, pages - 1)
        shown = names[self._page * fit : (self._page + 1) * fit]
        grid = self.query_one("#grid")
        columns = max(1, min(columns, len(shown)))
        grid.styles.grid_size_columns = 1 if self._full else columns
        focused = self.focused
        for number, chart in enumerate(self._charts):
            chart.display = number < len(shown) and (not self._full or chart is focused)
            if number < len(shown) and state is not None:
                chart.show(metric_chart(shown[number], state).of(state))
        there = ", ".join(state.by_name) if state is not None else ""
        none = f"No metric matches. There are {there}" if there else _WAITING
        self.query_one("#none", Static).update(literal(one_line(none)))
        self.set_class(not shown, "-none")
        self._seen = state and _amount(state)
        total = len(state.by_name) if state is not None else 0
        place = f", page {self._page + 1} of {pages}" if pages > 1 else ""
        chosen_by = f"   {' '.join(self._patterns)}" if self._patterns else ""
        self.query_one("#title", Static).update(
            literal(one_line(f"{self._run}  {len(names)} of {total} metrics{place}{chosen_by}"))
        )

    def on_chart_looked(self, message: Chart.Looked) -> None:
        """All panels show the same steps, and the crosshair at the same one."""
        for chart in self._charts:
            if chart is not message.chart:
                chart.look_like(message.chart.view)

    def on_chart_full_screen_requested(self) -> None:
        self._full = not self._full
        self._arrange()

    def on_chart_smoothing_requested(self) -> None:
        tell(self, "Figures stand here as they were logged. The run's own view smooths its loss.")

    def on_typed_line_left(self, message: TypedLine.Left) -> None:
        """Take the patterns that were typed, unless they say nothing."""
        patterns = tuple(self.query_one(TypedLine).value.split())
        if message.keep and not self._take(patterns):
            return
        self.query_one(TypedLine).display = False
        focus_now(self._charts[0])

    def _take(self, patterns: tuple[str, ...]) -> bool:
        state = self._state()
        try:
            chosen(patterns, state.by_name if state else (), CHARTS)
        except VlmftError as error:
            tell(self, str(error).removeprefix("--metric "), problem=True)
            return False
        self._patterns, self._page = patterns, 0
        keep("panels", list(patterns))
        self._arrange()
        return True

    def action_choose(self) -> None:
        """Type names or patterns."""
        line = self.query_one(TypedLine)
        line.value = " ".join(self._patterns)
        line.display = True
        focus_now(line)

    def action_turn(self, by: int) -> None:
        """Show other panels."""
        self._page = max(0, self._page + by)
        self._arrange()
        focus_now(self._charts[0])

    def action_next_panel(self, by: int) -> None:
        """Go to the panel after this one, or before it."""
        if self._full:
            return
        shown = [chart for chart in self._charts if chart.display]
        if shown:
            here = next((number for number, chart in enumerate(shown) if chart.has_focus), -1)
            focus_now(shown[(here + by) % len(shown)])

    def action_back(self) -> None:
        """Take the crosshair away; show all panels; then leave."""
        if self._charts[0].leave_crosshair():  # it is that of all
            return
        if self._full:
            self.on_chart_full_screen_requested()
        else:
            self.dismiss()


def _amount(state: RunState) -> tuple[int, ...]:
    """Changes with every point."""
    return tuple(map(len, state.by_name.values()))
