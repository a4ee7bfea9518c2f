"""Epoch table: a row of figures for each epoch of a run."""

from __future__ import annotations

from typing import Final

from vlmft_console.app.widgets.base.cells import Cell, ColumnSpec, cells_line, titles_line
from vlmft_console.app.widgets.base.line_view import LineView
from vlmft_console.figures import filled
from vlmft_console.history.epochs import EpochFigures, EpochRow
from vlmft_console.history.state import RunState

_COLUMNS: Final = (
    ColumnSpec("epoch", 5, right=True),
    ColumnSpec("train", 7, right=True),
    ColumnSpec("eval", 7, right=True),
    ColumnSpec("gap", 8, rank=1, right=True),
    ColumnSpec("tok %", 5, rank=2, right=True),
    ColumnSpec("lr", 8, rank=4, right=True),
    ColumnSpec("grad", 7, rank=3, right=True),
    ColumnSpec("", 6),
)


class EpochTable(LineView, can_focus=True):
    """Each epoch's losses, their gap, token accuracy, learning rate and gradient norm; the best epoch is marked.

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
        lines = [cells_line(self._cells(epoch), _COLUMNS, self.room) for epoch in self._epochs]
        follows = self._follows  # what follows may move the view by itself
        self.show_lines([titles_line(_COLUMNS, self.room), *lines])
        if follows and self.max_scroll_y > self.scroll_offset.y:
            self.scroll_to(y=self.max_scroll_y, animate=False, immediate=True, force=True)

    def _cells(self, row: EpochRow) -> list[Cell]:
        gap_role = ""
        if row.gap is not None and row.gap > self._limits[0]:
            gap_role = "stop" if row.gap > self._limits[1] else "caution"
        sign = {"stop": "!!", "caution": "!"}.get(gap_role, "")
        return [
            Cell(f"{row.epoch}", "strong"),
            Cell(filled("{:.4f}", row.train_loss)),
            Cell(filled("{:.4f}", row.eval_loss)),
            Cell(sign + filled("{:+.3f}", row.gap), gap_role),
            Cell(filled("{:.1f}", row.accuracy and 100 * row.accuracy)),
            Cell(filled("{:.2e}", row.lr)),
            Cell(filled("{:.3f}" if (row.grad_norm or 0) < 100 else "{:.2g}", row.grad_norm)),
            Cell("★ best", "good") if row.best else Cell("" if row.done else "so far", "dim"),
        ]
