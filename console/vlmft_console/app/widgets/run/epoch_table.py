"""Epoch table: a row of figures for each epoch of a run."""

from __future__ import annotations

from collections.abc import Sequence
from textwrap import wrap
from typing import Final

from rich.cells import cell_len

from vlmft_console.app.widgets.base.cells import Cell, ColumnSpec, cells_line, titles_line
from vlmft_console.app.widgets.base.line_view import LineView
from vlmft_console.app.widgets.base.literal import one_line
from vlmft_console.figures import percent, signed
from vlmft_console.history.epochs import EpochFigures, EpochRow
from vlmft_console.history.question_counts import unlike_counts
from vlmft_console.history.state import RunState
from vlmft_core.figures import figure

_COLUMNS: Final = (
    ColumnSpec("epoch", 5, right=True),
    ColumnSpec("train", 8, right=True),
    ColumnSpec("eval", 8, right=True),
    ColumnSpec("gap", 9, rank=2, right=True),
    ColumnSpec("token acc.", 10, rank=3, right=True),
    ColumnSpec("lr", 8, rank=5, right=True),
    ColumnSpec("grad", 8, rank=4, right=True),
    ColumnSpec("", 6),
)

_SCORES, _TASKS = 3, 4
"""Where the columns of the tasks stand, and how many there are at most."""


class EpochTable(LineView, can_focus=True):
    """Each epoch's losses, accuracy on each task, gap of the losses, token accuracy, learning rate and gradient norm;
    the best epoch is marked.

    Columns that do not fit are left out, the least important first.
    """

    HEAD = 1
    DEFAULT_CSS = """
    EpochTable {
        padding: 0 1;
        scrollbar-gutter: stable;
    }
    """

    def __init__(self, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self._figures = EpochFigures()
        self._epochs: list[EpochRow] = []
        self._limits = (0.5, 1.0)
        self._follows = True

    def show(self, state: RunState) -> None:
        """Show the epochs so far; the newest stays in view unless the reader has scrolled up."""
        self._limits = state.health.settings.gap_caution, state.health.settings.gap_stop
        self._epochs = self._figures.rows(state)
        self.lay_out()

    def watch_scroll_y(self, old_value: float, new_value: float) -> None:
        super().watch_scroll_y(old_value, new_value)
        self._follows = new_value >= self.max_scroll_y

    def lay_out(self) -> None:
        if not self.room:
            return  # not laid out yet
        if not self._epochs:
            self.show_lines([(("no epochs so far", "dim"),)])
            return
        tasks = list(dict.fromkeys(task for epoch in self._epochs for task in epoch.scores))[:_TASKS]
        scores = [ColumnSpec(one_line(task), max(7, min(12, cell_len(task))), rank=1, right=True) for task in tasks]
        columns = (*_COLUMNS[:_SCORES], *scores, *_COLUMNS[_SCORES:])
        lines = [cells_line(self._cells(epoch, tasks), columns, self.room) for epoch in self._epochs]
        if unlike := unlike_counts(((epoch.epoch, epoch.questions) for epoch in self._epochs), "epoch"):
            lines += [((line, "dim"),) for line in wrap(one_line(unlike), self.room)]
        follows = self._follows  # what follows may move the view by itself
        self.show_lines([titles_line(columns, self.room), *lines])
        if follows and self.max_scroll_y > self.scroll_offset.y:
            self.scroll_to(y=self.max_scroll_y, animate=False, immediate=True, force=True)

    def _cells(self, row: EpochRow, tasks: Sequence[str]) -> list[Cell]:
        gap_role = ""
        if row.gap is not None and row.gap > self._limits[0]:
            gap_role = "stop" if row.gap > self._limits[1] else "caution"
        sign = {"stop": "!!", "caution": "!"}.get(gap_role, "")
        return [
            Cell(f"{row.epoch}", "strong"),
            Cell(figure(row.train_loss, "–")),
            Cell(figure(row.eval_loss, "–")),
            *(Cell(percent(row.scores.get(task), "–")) for task in tasks),
            Cell(sign + signed(row.gap, "–"), gap_role),
            Cell(percent(row.accuracy, "–")),
            Cell(figure(row.lr, "–")),
            Cell(figure(row.grad_norm, "–")),
            Cell("★ best", "good") if row.best else Cell("" if row.done else "so far", "dim"),
        ]
