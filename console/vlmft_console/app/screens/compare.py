"""Compare screen: runs laid over each other, what they came to, how their presets differ, which was better."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Container
from textual.widgets import Static

from vlmft_console.app.runs_reader import RunGrew, RunRead, RunUnread
from vlmft_console.app.screens.several_runs import SeveralRunsScreen
from vlmft_console.app.tell import tell
from vlmft_console.app.widgets.base.chart import Chart
from vlmft_console.app.widgets.base.key_bar import KeyBar
from vlmft_console.app.widgets.base.literal import literal
from vlmft_console.app.widgets.run.outcome_table import OutcomeTable
from vlmft_console.charts.smoothing import smooth
from vlmft_console.charts.view import View
from vlmft_console.history.loading import ReadLog

if TYPE_CHECKING:
    from vlmft_console.runs.status import RunStatus


class CompareScreen(SeveralRunsScreen):
    """Two to eight runs; each has a number, its own in the charts and the table.

    Args:
        targets: run folders or logs.
    """

    AUTO_FOCUS = "Chart"
    CSS_PATH = "compare.tcss"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("u", "unit", "step/epoch/time", tooltip="Count along steps, epochs or hours"),
        Binding("m", "metric", "metric", tooltip="Show the next metrics"),
        Binding("tab", "app.focus_next", "next panel", show=False, tooltip="Move to the next chart or the table"),
        Binding("escape", "back", "back", key_display="esc", tooltip="Crosshair off, all charts, back to the runs"),
    ]

    def __init__(self, targets: Sequence[Path]) -> None:
        super().__init__()
        self._targets = list(targets)
        self._read: dict[int, ReadLog] = {}
        self._statuses: dict[int, RunStatus | None] = {}
        self._first = 0

    @property
    def subject(self) -> str:
        """What is shown, in a word."""
        return f"{len(self._targets)} runs"

    def compose(self) -> ComposeResult:
        yield Static("vlmft  compare: reading …", id="title", markup=False)
        with Container(id="charts"):
            yield Chart(id="first")
            yield Chart(id="second")
        yield OutcomeTable()
        yield Static("", id="better", markup=False)
        yield KeyBar(screen_first=True)

    def on_mount(self) -> None:
        self._reader.start(self._targets)

    @property
    def _runs(self) -> list[ReadLog]:
        """The runs, once all have been read."""
        complete = len(self._read) == len(self._targets)
        return [self._read[number] for number in range(len(self._targets))] if complete else []

    def on_run_read(self, message: RunRead) -> None:
        """One more has been read; when all are, they are shown."""
        self._read[message.number], self._statuses[message.number] = message.run, message.status
        self.say_which(message.run)
        if self._runs:
            self._show_figures()
            self.draw()

    def on_run_unread(self, message: RunUnread) -> None:
        """One of them cannot be read, or not any more; then the figures of before stay."""
        if self._runs:
            tell(self, message.reason, problem=True)
            return
        self.query_one("#title", Static).update("vlmft  compare")
        self.query_one("#better", Static).update(literal(message.reason))

    def on_run_grew(self, message: RunGrew) -> None:
        """Take in what a live run has written since, and how it ended."""
        self._read[message.number] = self.grown(self._read[message.number], message)
        self._statuses[message.number] = message.status
        if not self._runs:
            return
        self._show_figures()
        if message.records:
            self.draw()

    def _show_figures(self) -> None:
        from vlmft_console.report.better import better
        from vlmft_console.report.compare import how_ended, outcomes, preset_differences

        names = [run.name for run in self._runs]
        ended = [how_ended(run, self._statuses[number]) for number, run in enumerate(self._runs)]
        figures = outcomes(self._runs, ended)
        self.query_one(OutcomeTable).show_runs(names, figures, preset_differences(self._runs))
        self.query_one("#better", Static).update(literal(better(self._runs).text))

    def draw(self) -> None:
        """Draw both charts, each train loss averaged over a share of its steps that are seen."""
        from vlmft_console.charts.overlay import overlay_chart
        from vlmft_console.charts.run_charts import CHARTS

        span = self.query_one("#first", Chart).view.span if self._unit == "step" else None
        for run in self._runs:
            smooth(run.state, self._smoothing, span)
        named, metrics = [(run.name, run.state) for run in self._runs], list(CHARTS)
        for place, chart in enumerate(self.query(Chart), self._first):
            chart.show(overlay_chart(named, metrics[place % len(metrics)], self._unit))
        self.query_one("#title", Static).update(f"vlmft  compare: {len(named)} runs by {self._unit}")

    def action_unit(self) -> None:
        """Count along something else."""
        self.turn_unit()
        for chart in self.query(Chart):
            chart.look_like(View())  # a place on the old scale is none on the new one
        self.draw()

    def action_metric(self) -> None:
        """Show the next metrics."""
        self._first += 1
        self.draw()

    @on(Chart.Looked)
    def _look_alike(self, message: Chart.Looked) -> None:
        """Both charts show the same part, and the crosshair at the same place."""
        for chart in self.query(Chart):
            if chart is not message.chart:
                chart.look_like(message.chart.view)
        self.draw()

    def action_back(self) -> None:
        """Take the crosshair away; show everything again; then leave."""
        if self.query_one("#first", Chart).leave_crosshair():
            return
        if self.has_class("-alone"):
            self._give_room(None)
        else:
            self.dismiss()

    @on(Chart.FullScreenRequested)
    def _alone(self, message: Chart.FullScreenRequested) -> None:
        """This chart alone, or everything again."""
        self._give_room(None if self.has_class("-alone") else message.chart)

    def _give_room(self, alone: Chart | None) -> None:
        self.set_class(alone is not None, "-alone")
        for chart in self.query(Chart):
            chart.set_class(alone is not None and chart is not alone, "-hidden")
