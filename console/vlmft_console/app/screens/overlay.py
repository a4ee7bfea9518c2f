"""Overlay screen: several runs or logs on the same axes, as they grow, held against a pinned one."""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path
from typing import ClassVar, Final

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.timer import Timer
from textual.widgets import Static

from vlmft_console.app.messages import Loading, OpenRun
from vlmft_console.app.runs_reader import RunGrew, RunRead, RunUnread
from vlmft_console.app.screens.overlaid_run import OverlaidRun
from vlmft_console.app.screens.several_runs import SeveralRunsScreen
from vlmft_console.app.tell import tell
from vlmft_console.app.widgets.base.focusing import focus_now
from vlmft_console.app.widgets.base.key_bar import KeyBar
from vlmft_console.app.widgets.base.literal import literal, one_line
from vlmft_console.app.widgets.base.panel_grid import PanelGrid
from vlmft_console.app.widgets.base.typed_line import TypedLine
from vlmft_console.app.widgets.run.metric_choice import MetricChoice
from vlmft_console.app.widgets.run.overlay_table import MOST_LINES, OverlayTable
from vlmft_console.charts.overlay import MOST_RUNS, Timelines, extent_of, overlay_chart
from vlmft_console.charts.reading import readings
from vlmft_console.charts.run_charts import CHARTS, task_accuracies
from vlmft_console.charts.smoothing import smooth
from vlmft_console.charts.spec import ChartSpec
from vlmft_console.charts.view import View
from vlmft_core.errors import VlmftError
from vlmft_core.figures import counted

_LEAST: Final = (56, 10)
"""Columns and rows of a panel: eight curves need more room than one."""
DRAW_SECONDS: Final = 2.0
"""Between two drawings of runs that grow, at least."""


class OverlayScreen(SeveralRunsScreen):
    """Up to eight runs, each with a colour and a digit.

    Args:
        targets: run folders or logs.
    """

    CSS_PATH = "overlay.tcss"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("space", "hide", "hide", tooltip="Hide the run under the cursor, or show it again"),
        Binding("p", "pin", "pin", tooltip="Hold the others against the run under the cursor, or no longer"),
        Binding("u", "unit", "step/epoch/time", tooltip="Count along steps, epochs or hours"),
        Binding("slash,m", "choose", "metrics", key_display="/", tooltip="Type names or patterns; nothing: the usual"),
        Binding("a", "add", "add", tooltip="Lay one more run or log over them, by name or path"),
        Binding("o", "open", "open", tooltip="Watch the run under the cursor alone"),
        Binding("j,down", "move(1)", "run below", show=False, tooltip="To the run below"),
        Binding("k,up", "move(-1)", "run above", show=False, tooltip="To the run above"),
        Binding("escape,q", "back", "leave", key_display="q", tooltip="Crosshair off, all panels, back to the runs"),
    ]

    def __init__(self, targets: Sequence[Path]) -> None:
        super().__init__()
        self._wanted = [OverlaidRun(target) for target in targets[:MOST_RUNS]]
        self._runs = self._wanted.copy()
        self._again: dict[str, None] = {}
        self._timelines = Timelines()
        self._pinned: OverlaidRun | None = None
        self._reading = ""
        self._due: Timer | None = None
        self.drawn = 0.0
        self._beside: tuple[float, float] | None = None

    @property
    def subject(self) -> str:
        """What is shown, in a word."""
        return counted(len(self._runs), "run")

    def compose(self) -> ComposeResult:
        yield Static("vlmft  overlay: reading …", id="title", markup=False)
        yield PanelGrid(_LEAST)
        yield OverlayTable()
        yield MetricChoice("overlay")
        yield TypedLine(id="added")
        yield KeyBar(screen_first=True)

    def on_mount(self) -> None:
        self._reader.start([run.target for run in self._wanted])
        self.draw()
        self._grid.focus_panel()

    def on_screen_resume(self) -> None:
        super().on_screen_resume()
        self.draw()

    def on_resize(self) -> None:
        self._show_table()

    @property
    def _grid(self) -> PanelGrid:
        return self.query_one(PanelGrid)

    @property
    def _table(self) -> OverlayTable:
        return self.query_one(OverlayTable)

    @property
    def _choice(self) -> MetricChoice:
        return self.query_one(MetricChoice)

    @property
    def _there(self) -> list[str]:
        """Every metric of any of the runs."""
        return list(dict.fromkeys(name for run in self._runs for name in run.state.by_name))

    @property
    def _usual(self) -> list[str]:
        tasks = dict.fromkeys(name for run in self._runs for name in task_accuracies(run.state))
        charts = (key for key, chart in CHARTS.items() if any(chart.series(run.state) for run in self._runs))
        return [*charts, *tasks]

    def on_loading(self, message: Loading) -> None:
        """Say how far the reading is."""
        self._reading = str(message.progress)
        self._entitle()

    def on_run_read(self, message: RunRead) -> None:
        """One more can be drawn, unless it is drawn already."""
        run = self._wanted[message.number]
        shown = next((each for each in self._runs if each.read and each.read.log.is_same(message.run.log)), None)
        if shown is None:
            run.read, run.status = message.run, message.status
            self.say_which(message.run)
        else:
            self._reader.leave(message.number)
            self._leave_out(run, shown)
        self._reading = ""
        self.draw()

    def _leave_out(self, run: OverlaidRun, shown: OverlaidRun) -> None:
        """Show a run once, though it was named more than once."""
        if self._runs.index(run) < self._current:
            self._table.move_to(self._current - 1)  # the cursor stays on its run
        self._runs.remove(run)
        if self._pinned is run:
            self._pinned = shown
        self._again[shown.name] = None
        tell(self, f"named more than once, shown once: {', '.join(self._again)}")

    def on_run_unread(self, message: RunUnread) -> None:
        """One cannot be read; the others are shown all the same."""
        self._wanted[message.number].problem = message.reason
        self._reading = ""
        reasons = dict.fromkeys(run.problem for run in self._wanted if run.problem)
        tell(self, "; ".join(reasons), problem=True)  # a message takes the place of the one before
        self.draw()

    def on_run_grew(self, message: RunGrew) -> None:
        """Take in what was added. The charts follow when it is time for it."""
        run = self._wanted[message.number]
        if run.read is None:
            return
        run.read, run.status = self.grown(run.read, message), message.status
        self._show_table()
        if message.records and self._due is None:
            due = max(self.drawn + DRAW_SECONDS, self._grid.rested_at)
            self._due = self.set_timer(max(0.01, due - time.monotonic()), self.draw)

    def draw(self) -> None:
        """Draw the panels of this page anew."""
        if self._due is not None:
            self._due.stop()
            self._due = None
        if not self.is_current:  # once it is, all is drawn
            return
        self._smooth()
        self._beside = extent_of([run.state for run in self._runs], self._unit, self._timelines, self._hidden)
        self._grid.show(self._choice.names(self._there, self._usual), self._spec)
        self._show_table()
        self._entitle()
        self.drawn = time.monotonic()

    @property
    def _hidden(self) -> list[int]:
        return [number for number, run in enumerate(self._runs) if run.hidden]

    @property
    def _pin(self) -> int | None:
        return None if self._pinned is None else self._runs.index(self._pinned)

    def _spec(self, metric: str) -> ChartSpec:
        named = [("", run.state) for run in self._runs]  # the table is the legend
        return overlay_chart(
            named,
            metric,
            self._unit,
            hidden=self._hidden,
            pinned=self._pin,
            timelines=self._timelines,
            beside=self._beside,
        )

    def _smooth(self) -> None:
        """Average each train loss over a share of its steps that are seen."""
        span = self._grid.view.span if self._unit == "step" else None
        for run in self._runs:
            if run.read is not None:
                smooth(run.state, self._smoothing, span)

    def _show_table(self) -> None:
        metric = self._grid.chosen
        spec = self._spec(metric) if metric else ChartSpec("")
        found = {reading.curve.tag: reading for reading in readings(spec, self._grid.view.cross)}
        rows = [
            run.row(number, metric, self._unit, found.get(str(number + 1)), pinned=run is self._pinned)
            for number, run in enumerate(self._runs)
        ]
        self._table.styles.height = min(MOST_LINES, len(rows) + 1, max(3, self.size.height // 3))
        self._table.show_runs(rows, spec.title)

    def _entitle(self) -> None:
        parts = [f"{self.subject} by {self._unit}"]
        if self._hidden:
            parts.append(f"{len(self._hidden)} hidden")
        if self._again:
            parts.append(f"{len(self._again)} named twice")
        if self._pin is not None:
            parts.append(f"against {self._pin + 1}")
        parts += filter(None, [self._grid.place, self._reading])
        self.query_one("#title", Static).update(literal(one_line(f"vlmft  overlay: {', '.join(parts)}")))

    def on_panel_grid_turned(self) -> None:
        self._show_table()
        self._entitle()

    def on_panel_grid_looked(self) -> None:
        self.draw()

    def on_metric_choice_made(self) -> None:
        """Other panels are wanted, or the same."""
        self._grid.first_page()
        self.draw()
        self._grid.focus_panel()

    def on_typed_line_left(self, message: TypedLine.Left) -> None:
        """Add what was typed, if there is such a run or log."""
        line = self.query_one("#added", TypedLine)
        wanted = line.value.strip()
        if message.keep and wanted and not self._take(wanted):
            return
        line.display = False
        self._grid.focus_panel()

    def _take(self, wanted: str) -> bool:
        from vlmft_console.runs.targets import locate

        try:
            target = locate(wanted)
        except VlmftError as error:
            tell(self, str(error), problem=True)
            return False
        if any(run.target.resolve() == target.resolve() for run in self._runs):
            tell(self, f"{wanted} is among them")
            return False
        self._wanted.append(OverlaidRun(target))
        self._runs.append(self._wanted[-1])
        self._reader.add(target)
        self.draw()
        return True

    @property
    def _current(self) -> int:
        return int(self._table.cursor or 0)

    def action_hide(self) -> None:
        """Hide the run under the cursor, or show it again."""
        run = self._runs[self._current]
        run.hidden = not run.hidden
        self.draw()

    def action_pin(self) -> None:
        """Hold the others against the run under the cursor, or no longer."""
        run = self._runs[self._current]
        self._pinned = None if self._pinned is run else run
        self.draw()

    def action_unit(self) -> None:
        """Count along something else."""
        self.turn_unit()
        self._grid.look_at(View())  # a place on the old scale is none on the new one
        self.draw()

    def action_choose(self) -> None:
        """Type names or patterns."""
        self._choice.ask(self._there)

    def action_add(self) -> None:
        """Type the name or the path of one more."""
        if len(self._runs) == MOST_RUNS:
            tell(self, f"More than {MOST_RUNS} runs cannot be told apart.")
            return
        line = self.query_one("#added", TypedLine)
        line.value, line.display = "", True
        focus_now(line)

    def action_open(self) -> None:
        """Watch the run under the cursor alone."""
        self.app.post_message(OpenRun(self._runs[self._current].target))

    def action_move(self, by: int) -> None:
        """To another run."""
        self._table.action_move(by)

    def action_back(self) -> None:
        """Take the crosshair away; show all panels; then leave."""
        if not self._grid.leave():
            self.dismiss()
