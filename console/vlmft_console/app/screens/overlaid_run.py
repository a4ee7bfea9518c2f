"""Overlaid run: one of the runs that are laid over each other, and its line in their table."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Final

from vlmft_console.app.widgets.run.overlay_table import OverlayRow
from vlmft_console.charts.reading import Reading
from vlmft_console.charts.run_charts import metric_chart
from vlmft_console.charts.spec import Unit
from vlmft_console.charts.ticks import x_label
from vlmft_console.history.loading import ReadLog
from vlmft_console.history.state import RunState
from vlmft_console.runs.status import RunStatus
from vlmft_core.figures import figure

_NOTHING: Final = RunState()


@dataclass(eq=False)
class OverlaidRun:
    """A run folder or a log, read or not yet."""

    target: Path
    read: ReadLog | None = None
    status: RunStatus | None = None
    problem: str = ""
    """Why it cannot be read."""
    hidden: bool = False

    @property
    def name(self) -> str:
        """What it is called. Foreign text."""
        return self.read.name if self.read else self.target.name

    @property
    def state(self) -> RunState:
        """What is known of it."""
        return self.read.state if self.read else _NOTHING

    def row(self, number: int, metric: str, unit: Unit, reading: Reading | None, *, pinned: bool) -> OverlayRow:
        """Its line in the table.

        Args:
            number: its place, from 0.
            metric: of the panel that has the keys.
            unit: what its x counts.
            reading: the metric's value; None where there is none.
            pinned: whether the others are held against it.
        """
        best = self.state.best_eval
        return OverlayRow(
            number,
            self.name,
            self._state_word(),
            f"{self.state.reached:,}" if self.read else "",
            figure(reading.y) if reading else self._missing(metric, unit),
            x_label(reading.x, unit) if reading else "",
            reading.difference if reading else None,
            float(best["eval_loss"]) if best else None,
            self.hidden,
            pinned,
        )

    def _state_word(self) -> str:
        if self.problem:
            return "unreadable"
        if self.read is None:
            return "reading"
        if self.read.log.folder is None:
            return "recorded"
        return self.status.state if self.status else ""

    def _missing(self, metric: str, unit: Unit) -> str:
        """Why it has no value of a metric."""
        if self.read is None or not metric:
            return ""
        return f"no {unit} in its log" if metric_chart(metric, self.state).series(self.state) else "not logged"
