"""Outcome table: what the runs compared came to, and how their presets differ, a column for each run."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator, Sequence
from itertools import zip_longest
from typing import TYPE_CHECKING

from vlmft_console.app.widgets.base.cells import Cell
from vlmft_console.app.widgets.base.column_table import ColumnTable, TableRow
from vlmft_console.app.widgets.base.literal import one_line

if TYPE_CHECKING:
    from vlmft_console.report import compare

BEST = "★"
_LINE = 20
"""Characters of a value on one line; a longer one, such as a list, takes several: nothing of it is cut off. Four
runs stand side by side in 120 columns."""


class OutcomeTable(ColumnTable):
    """Rows of figures, the best of each marked, then the parameters that differ."""

    def __init__(self) -> None:
        super().__init__(id="outcomes")

    def show_runs(
        self, names: Sequence[str], outcomes: Sequence[compare.OutcomeRow], differences: Sequence[compare.OutcomeRow]
    ) -> None:
        """Show the tables of the runs called `names`, numbered from 1 as in the charts."""
        rows = [line for row in outcomes for line in _lines(row)]
        if differences:
            rows.append(TableRow(Cell("presets differ in", "strong"), tuple(Cell("") for _ in names)))
            rows += [line for row in differences for line in _lines(row)]
        self.show_table([f"{number} {name}" for number, name in enumerate(names, 1)], rows)


def _lines(row: compare.OutcomeRow) -> Iterator[TableRow]:
    texts = [f"{text} {BEST}" if index == row.best else text for index, text in enumerate(row.texts)]
    roles = ["good" if index == row.best else "" for index in range(len(texts))]
    wrapped = [textwrap.wrap(one_line(text), _LINE) for text in texts]
    for number, parts in enumerate(zip_longest(*wrapped, fillvalue="")):
        label = Cell("" if number else row.label, "dim")
        yield TableRow(label, tuple(Cell(part, role) for part, role in zip(parts, roles, strict=True)))
