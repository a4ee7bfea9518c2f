"""Checkpoint list: a row for each checkpoint of a run; and all about the one under the cursor."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator, Sequence
from typing import Any, ClassVar

from textual.binding import BindingType

from vlmft_console.app.widgets.base.cells import Cell, ColumnSpec
from vlmft_console.app.widgets.base.line_view import Line, LineView
from vlmft_console.app.widgets.base.literal import one_line
from vlmft_console.app.widgets.base.row_list import ListRow, RowList
from vlmft_console.app.widgets.base.scrolling import SCROLLING
from vlmft_console.figures import accuracy, percent
from vlmft_console.report.checkpoints import (
    GOES,
    KEPT,
    MAY_GO,
    PARTIAL,
    CheckpointRow,
    CheckpointTable,
    change_words,
    checkpoint_cells,
)

COLUMNS = (
    ColumnSpec("step", 7, right=True),
    ColumnSpec("epoch", 6, rank=3, right=True),
    ColumnSpec("eval loss", 9, right=True),
    ColumnSpec("token acc.", 10, rank=4, right=True),
    ColumnSpec("answers right", 31, rank=1, stretches=True, widest=48),
    ColumnSpec("size", 8, rank=2, right=True),
    ColumnSpec("", 19, stretches=True, widest=36),
)
_LABEL = 10
_EXPLAINED = {
    KEPT: "it stays",
    GOES: "the next checkpoint takes its place, whatever that is like",
    MAY_GO: "the next checkpoint takes its place if it is better",
    PARTIAL: "it was never finished, or is being written now; nothing uses it",
}


class CheckpointList(RowList):
    """The checkpoints, by step."""

    def __init__(self) -> None:
        super().__init__(COLUMNS)

    def show_table(self, table: CheckpointTable) -> None:
        """Show these checkpoints."""
        self.show([ListRow(str(row.folder), _cells(row)) for row in table.rows])


class CheckpointDetail(LineView, can_focus=True, inherit_bindings=False):
    """One checkpoint in full, each text beside its label; below it what was made the adapter by hand."""

    BINDINGS: ClassVar[list[BindingType]] = SCROLLING

    def __init__(self) -> None:
        super().__init__()
        self._texts: list[tuple[str, str, str]] = []

    def show(self, row: CheckpointRow | None, changes: Sequence[dict[str, Any]]) -> None:
        """Show this one; None for none.

        Args:
            changes: from `chosen_by_hand`.
        """
        self._texts = [
            *(_texts(row) if row else ()),
            *(("record", change_words(change), "dim") for change in reversed(changes)),
        ]
        self.lay_out()

    def lay_out(self) -> None:
        width = max(8, self.room - _LABEL)
        lines: list[Line] = []
        for label, text, role in self._texts:
            for number, line in enumerate(textwrap.wrap(one_line(text), width) or [""]):
                lines.append(((("" if number else label).ljust(_LABEL), "dim"), (line, role)))
        self.show_lines(lines)


def _cells(row: CheckpointRow) -> tuple[Cell, ...]:
    step, epoch, loss, token, size, words = checkpoint_cells(row, [])
    told = ", ".join(f"{task} {percent(share)}" for task, (share, _) in row.tasks.items())
    role = "good" if row.best else "" if row.complete else "caution"
    cells = (Cell(step, role), Cell(epoch), Cell(loss), Cell(token), Cell(told or "–"), Cell(size), Cell(words, role))
    return cells if row.complete else tuple(cell._replace(role="dim") for cell in cells)


def _texts(row: CheckpointRow) -> Iterator[tuple[str, str, str]]:
    """Label, text and role of all that is known."""
    yield "folder", str(row.folder.absolute()), ""
    for task, (share, questions) in row.tasks.items():
        yield task, f"{accuracy(share, questions)}" + (f" of {questions:,} questions" if questions else ""), ""
    if row.complete and not row.tasks:
        yield "answers", "that eval asked no questions; e asks them", "dim"
    if row.best:
        yield "best", "by the metric that the run's preset chose", "good"
    if row.adapter:
        yield "adapter", "the run's adapter has its weights", "good"
    yield row.fate if row.complete else "partial", _EXPLAINED[row.fate], "dim"
