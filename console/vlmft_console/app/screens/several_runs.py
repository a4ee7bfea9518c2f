"""Several runs screen: what the screens that lay runs or logs over each other have in common."""

from __future__ import annotations

from typing import Final

from textual.screen import Screen

from vlmft_console.app.messages import Entitle
from vlmft_console.app.runs_reader import RunGrew, RunsReader
from vlmft_console.app.settings import keep, usable_settings
from vlmft_console.app.tell import tell
from vlmft_console.app.widgets.base.chart import Chart
from vlmft_console.charts.spec import Unit
from vlmft_console.history.loading import ReadLog
from vlmft_console.runs.headline import LAST_OF_SEVERAL

_UNITS: Final[tuple[Unit, ...]] = ("step", "epoch", "hours")


class SeveralRunsScreen(Screen[None]):
    """Reads runs in a thread while it is looked at; knows what their charts count along and how far losses are
    averaged. Its charts are drawn anew by `draw`."""

    def __init__(self) -> None:
        super().__init__()
        self._reader = RunsReader(self.post_message)
        self._unit: Unit = "step"
        self._smoothing = usable_settings().smoothing

    @property
    def subject(self) -> str:
        """What is shown, in a word."""
        raise NotImplementedError

    def draw(self) -> None:
        """Draw the charts as the runs are now."""
        raise NotImplementedError

    def on_unmount(self) -> None:
        self._reader.stop()

    def on_screen_suspend(self) -> None:
        self._reader.paused = True

    def on_screen_resume(self) -> None:
        self._reader.resume()
        self.app.post_message(Entitle(self.subject))

    def on_chart_smoothing_requested(self, message: Chart.SmoothingRequested) -> None:
        """Smooth the train losses more or less."""
        self._smoothing = message.applied_to(self._smoothing)
        keep(self, "smoothing", self._smoothing)
        self.draw()

    def say_which(self, run: ReadLog) -> None:
        """Say which training of its log is shown, where it holds several."""
        if run.several:
            tell(self, f"{run.name}: {LAST_OF_SEVERAL}")

    def grown(self, run: ReadLog, message: RunGrew) -> ReadLog:
        """A run with what it has written since; where another training has begun in its log, that one."""
        if message.another:
            run = run.begun_anew()
            tell(self, f"{run.name}: another training begins in this log: it is shown from here on.")
        run.state.apply_all(message.records)
        return run

    def turn_unit(self) -> None:
        """Count along something else."""
        self._unit = _UNITS[(_UNITS.index(self._unit) + 1) % len(_UNITS)]
