"""Runs laid over each other: their curves, what they came to, how their presets differ, which was better."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

from textual import on, work
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Container
from textual.message import Message
from textual.screen import Screen
from textual.widgets import Static

from vlmft_console.widgets.chart import Chart
from vlmft_console.widgets.key_bar import KeyBar
from vlmft_console.widgets.literal import literal
from vlmft_console.widgets.outcome_table import OutcomeTable
from vlmft_trainer.errors import VlmftError

if TYPE_CHECKING:
    from vlmft_console.charts.spec import Unit
    from vlmft_console.history.loading import ReadLog

_UNITS: tuple[Unit, ...] = ("step", "epoch", "hours")


class CompareScreen(Screen[None]):
    """Two to eight runs; each has a number, its own in the charts and the table.

    Args:
        targets: run folders or logs.
    """

    AUTO_FOCUS = "OutcomeTable"
    CSS_PATH = "compare.tcss"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("u", "unit", "step/epoch/time", tooltip="Count along steps, epochs or hours"),
        Binding("m", "metric", "metric", tooltip="Show the next metrics"),
        Binding("tab", "app.focus_next", "next panel", show=False, tooltip="Move to the next chart or the table"),
        Binding("escape", "app.back", "back", key_display="esc", tooltip="Back to the runs"),
    ]

    @dataclass
    class Compared(Message):
        """The runs have been read."""

        runs: list[ReadLog]

    @dataclass
    class Unreadable(Message):
        """One of them cannot be."""

        why: str

    def __init__(self, targets: Sequence[Path]) -> None:
        super().__init__()
        self._targets = list(targets)
        self._runs: list[ReadLog] = []
        self._unit: Unit = "step"
        self._first = 0
        self._smoothing = 3  # 0.9, what the curves start with

    def compose(self) -> ComposeResult:
        yield Static("vlmft  compare: reading …", id="title", markup=False)
        with Container(id="charts"):
            yield Chart(id="first")
            yield Chart(id="second")
        yield OutcomeTable()
        yield Static("", id="better", markup=False)
        yield KeyBar()

    def on_mount(self) -> None:
        self._read()

    @work(thread=True, exclusive=True)
    def _read(self) -> None:
        from vlmft_console.history.loading import read_log

        try:
            self.post_message(self.Compared([read_log(target) for target in self._targets]))
        except VlmftError as error:
            self.post_message(self.Unreadable(str(error)))

    @on(Unreadable)
    def _give_up(self, message: Unreadable) -> None:
        self.query_one("#title", Static).update("vlmft  compare")
        self.query_one("#better", Static).update(literal(message.why))

    @on(Compared)
    def _show_all(self, message: Compared) -> None:
        from vlmft_console.compare import better, outcomes, preset_differences

        self._runs = message.runs
        judged, names = better(self._runs), [run.name for run in self._runs]
        self.query_one(OutcomeTable).show_runs(names, outcomes(self._runs), preset_differences(self._runs))
        self.query_one("#better", Static).update(literal(judged.text))
        self._show_charts()

    def _show_charts(self) -> None:
        from vlmft_console.charts.overlay import METRICS, overlay_chart

        named = [(run.name, run.state) for run in self._runs]
        for place, chart in enumerate(self.query(Chart), self._first):
            chart.show(overlay_chart(named, METRICS[place % len(METRICS)], self._unit))
        self.query_one("#title", Static).update(f"vlmft  compare: {len(named)} runs by {self._unit}")

    def action_unit(self) -> None:
        """Count along something else."""
        self._unit = _UNITS[(_UNITS.index(self._unit) + 1) % len(_UNITS)]
        self._show_charts()

    def action_metric(self) -> None:
        """Show the next metrics."""
        self._first += 1
        self._show_charts()

    @on(Chart.SmoothingRequested)
    def _smooth(self, message: Chart.SmoothingRequested) -> None:
        from vlmft_console.widgets.run_view import SMOOTHING

        self._smoothing = max(0, min(len(SMOOTHING) - 1, self._smoothing + message.change))
        for run in self._runs:
            run.state.smooth_loss.weight = SMOOTHING[self._smoothing]
        self._show_charts()

    @on(Chart.FullScreenRequested)
    def _alone(self, message: Chart.FullScreenRequested) -> None:
        """This chart alone, or everything again."""
        alone = not self.has_class("-alone")
        self.set_class(alone, "-alone")
        for chart in self.query(Chart):
            chart.set_class(alone and chart is not message.chart, "-hidden")
