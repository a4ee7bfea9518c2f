"""What the runs compared came to, and how their presets differ: a column for each run."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from vlmft_console.widgets.cells import Cell, Column
from vlmft_console.widgets.row_list import Row, RowList

if TYPE_CHECKING:
    from vlmft_console import compare

BEST = "★"


class OutcomeTable(RowList):
    """Rows of figures, the best of each marked, then the parameters that differ."""

    def __init__(self) -> None:
        super().__init__((), id="outcomes")

    def show_runs(
        self, names: Sequence[str], outcomes: Sequence[compare.Row], differences: Sequence[compare.Row]
    ) -> None:
        """Show the tables of the runs called `names`, numbered from 1 as in the charts."""
        columns = [
            Column(f"{number} {name}", 12, rank=number, stretches=True, widest=28)
            for number, name in enumerate(names, 1)
        ]
        self.set_columns([Column("", 16, stretches=True, widest=28), *columns])
        rows = [_row(row) for row in outcomes]
        if differences:
            blank = tuple(Cell("") for _ in names)
            rows.append(Row("presets", (Cell("presets differ in", "strong"), *blank)))
            rows += [_row(row) for row in differences]
        self.show(rows)


def _row(row: compare.Row) -> Row:
    cells = [
        Cell(f"{text} {BEST}", "good") if index == row.best else Cell(text) for index, text in enumerate(row.texts)
    ]
    return Row(row.label, (Cell(row.label, "dim"), *cells))
