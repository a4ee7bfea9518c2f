"""Overlay table: the runs that are laid over each other, a line each: colour and digit, state, and what one metric is
at the crosshair or at last, with the difference from the pinned run."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from vlmft_console.app.widgets.base.cells import Cell, ColumnSpec
from vlmft_console.app.widgets.base.row_list import ListRow, RowList
from vlmft_console.app.widgets.run.run_list import state_words
from vlmft_console.figures import signed
from vlmft_core.figures import figure

MOST_LINES = 9
"""Eight runs and the titles."""


@dataclass(frozen=True)
class OverlayRow:
    """One of the runs."""

    number: int
    """Its place, from 0."""
    name: str
    """Foreign text."""
    state: str
    """As `runs.status` has it, or what stands in the way of reading it."""
    step: str
    value: str
    """Of the metric; a word where there is none."""
    place: str = ""
    """Where that value is from."""
    difference: float | None = None
    """From the pinned run's."""
    best: float | None = None
    """The lowest eval loss."""
    hidden: bool = False
    pinned: bool = False


class OverlayTable(RowList, can_focus=False):
    """The cursor is on the run that keys act upon; the keys themselves are the screen's."""

    def __init__(self) -> None:
        super().__init__((), id="runs")

    def show_runs(self, rows: Sequence[OverlayRow], metric: str) -> None:
        """Show these runs, and what the metric called `metric` is of each."""
        pinned = next((str(row.number + 1) for row in rows if row.pinned), "")
        self._columns = (
            ColumnSpec("", 3),
            ColumnSpec("run", 12, stretches=True, middle=True, widest=48),
            ColumnSpec("state", 14, rank=3),
            ColumnSpec("step", 9, rank=2, right=True),
            ColumnSpec(metric, 14, stretches=True, right=True, widest=24),
            ColumnSpec("at", 9, rank=4, right=True),
            *((ColumnSpec(f"against {pinned}", 10, rank=1, right=True),) if pinned else ()),
            ColumnSpec("best eval", 9, rank=5, right=True),
        )
        self.show([ListRow(str(row.number), _cells(row, bool(pinned))) for row in rows])


def _cells(row: OverlayRow, some_pinned: bool) -> tuple[Cell, ...]:
    role = "dim" if row.hidden else f"run-{row.number + 1}"
    words, state_role = state_words(row.state) if row.state else ("", "")
    difference = "pinned" if row.pinned else signed(row.difference, "-")
    return (
        Cell(f"{'○' if row.hidden else '●'} {row.number + 1}", role),
        Cell(row.name, "dim" if row.hidden else ""),
        Cell(words, state_role),
        Cell(row.step, "dim"),
        Cell("hidden" if row.hidden else row.value, "dim" if row.hidden else role),
        Cell("" if row.hidden else row.place, "dim"),
        *(
            (Cell("" if row.hidden and not row.pinned else difference, "strong" if row.pinned else ""),)
            if some_pinned
            else ()
        ),
        Cell("" if row.best is None else figure(row.best), "dim"),
    )
