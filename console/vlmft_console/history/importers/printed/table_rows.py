"""Table rows: a header with the names of metrics, and rows of numbers below it.

CSV and TSV as loggers write them, W&B exports, the table of a notebook, Markdown, columns set apart by spaces.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Mapping
from typing import Final

from vlmft_console.history.importers.entries.languages import is_foreign
from vlmft_console.history.importers.entries.long_entries import named_value
from vlmft_console.history.importers.entries.metric_names import (
    EPOCH,
    EVAL_LOSS,
    LOSS,
    STEP,
    known,
    names_part,
    stands_for,
)
from vlmft_console.history.importers.entries.parsing import is_measured, number

_COLUMNS: Final = 500
"""Columns of a table that are looked at."""
_LONGEST_HEADER: Final = 64 << 10
_NO_VALUE: Final = frozenset(("", "-", "--", "—", "none", "null", "na", "n/a", "no log", "nan.", "<na>"))
_RULE = re.compile(r"[|+:\-=\s\u2500-\u257f]*")
"""A line of a table that only separates."""
_RANGE = re.compile(r"__(?:MIN|MAX)$")
_DECIMAL_COMMA = re.compile(r"[-+]?\d+,\d+(?:[eE][-+]?\d+)?")
"""A number as a spreadsheet of half of the world writes it; then cells are set apart by semicolons."""
_UNIT = re.compile(r"\s*[\[(][^\[\]()]{0,16}[\])]$")
"""`[s]` and the like at the end of a column's name."""
_ASSIGNS = re.compile(r"=|:(?![A-Za-z])")
"""What stands in a line of figures, and in no name of a column: those have `train:loss` at most."""
_GAP = re.compile(r"\t|\s{2,}")
_PIPES: Final = re.compile(r"[│┃║]")


class Table:
    """A header's columns, and rows as what their cells say."""

    def __init__(self, names: list[str], separator: str, *, others: tuple[str, ...] = ()) -> None:
        self._names = names
        self._known = [known(name) is not None for name in names]
        self._separator = separator
        self.place = next((name for kind in (STEP, EPOCH) for name in names if stands_for(name, kind)), "")
        """The column that tells the step, or else the epoch; "" where none does."""
        long = named_value(tuple(names))
        self._texts = {*filter(names_part, names), *(long.names if long else ())}
        """Columns of which the words count."""
        self._value = long.value if long else None
        self.others = others
        """Runs beside the one that is read, as exports of several runs hold them."""

    def row(self, line: str) -> Mapping[str, str] | None:
        """The figures of a row, empty cells left out; None where the line is no row of this table."""
        cells = line.replace("No log", "-").split() if self._separator == " " else _split(line, self._separator)
        if self._separator == " " and len(cells) == len(self._names) + 1:
            del cells[0]  # what pandas calls the index has no name
        missing = len(self._names) - len(cells)
        if len(cells) < 2 or missing < 0 or (missing and self._separator == " "):
            return None
        values: dict[str, str] = {}
        for name, is_known, cell in zip(self._names, self._known, cells, strict=False):
            if not name or not cell or cell.lower() in _NO_VALUE:
                continue
            if self._separator == ";" and _DECIMAL_COMMA.fullmatch(cell):
                cell = cell.replace(",", ".")
            try:
                number(cell)
            except ValueError:
                if is_known:
                    return None
                if name in self._texts or name == self._value:
                    values[name] = cell
                continue
            if cell == "NaN" and is_known and self._separator in " |":
                continue  # what pandas prints where there is no value
            values[name] = cell
        if values and self._value:
            values.setdefault(self._value, "")  # which is rejected
        return values


def header_of(line: str, above: str = "") -> Table | None:
    """The table that a line begins; None where the line is no header of training metrics.

    Args:
        line: that was cleaned.
        above: the line before it; MATLAB's headers are two lines high.
    """
    lower = line.lower()
    telling = any(word in lower for word in ("oss", "cross", "value")) or is_foreign(line)
    if len(line) > _LONGEST_HEADER or not telling:
        return None
    text = _PIPES.sub("|", line)
    if above.count("|") == text.count("|") > 2 and not any(map(str.isdigit, above)):
        joined = [" ".join(cell) for cell in zip(_split(above, "|"), _split(text, "|"), strict=False)]
        if table := _table(joined[:_COLUMNS], "|"):
            return table
    for separator in ("|", "\t", ",", ";", " "):
        if separator in text and (table := _table(_split(text, separator)[:_COLUMNS], separator)):
            return table
    return None


def is_rule(line: str) -> bool:
    """Whether a line only separates a table's header or its rows."""
    return _RULE.fullmatch(line) is not None


def _table(names: list[str], separator: str) -> Table | None:
    if len(names) < 2 or any(_ASSIGNS.search(name) or is_measured(name) for name in names):
        return None
    if separator != " " and named_value(tuple(names)):
        return Table(names, separator)
    names = [name if known(name) else _without_unit(name) for name in names]
    names, others = _one_run([_RANGE.sub("", name) if _RANGE.search(name) is None else "" for name in names])
    quantities = [kind.quantity for name in names if (kind := known(name))]
    if not any(kind in (LOSS, EVAL_LOSS) for kind in quantities):
        return None
    words = sum(len(name.split()) for name in names)
    if separator in ", " and words > 4 * len(names):
        return None
    if not any(kind in (STEP, EPOCH) for kind in quantities) and (len(quantities) < 2 or separator == " "):
        return None
    return Table(_one_train_loss(names), separator, others=others)


def _without_unit(name: str) -> str:
    bare = _UNIT.sub("", name)
    return bare if known(bare) else name


def _one_run(names: list[str]) -> tuple[list[str], tuple[str, ...]]:
    """Of an export with columns `run - metric` the columns of the last run, and the other runs' names."""
    runs = list(dict.fromkeys(run for name in names if (run := _run_of(name))))
    if not runs:
        return names, ()
    chosen = runs[-1]
    kept = [name.rpartition(" - ")[2] if _run_of(name) == chosen else ("" if _run_of(name) else name) for name in names]
    return kept, tuple(runs[:-1])


def _run_of(name: str) -> str:
    run, dash, metric = name.rpartition(" - ")
    return run if dash and known(metric) else ""


def _one_train_loss(names: list[str]) -> list[str]:
    """The names, where only the surest of several train losses keeps its own: the others tell the same differently."""
    losses = sorted((kind.rank, name) for name in names if (kind := known(name)) and kind.quantity == LOSS)
    others = {name for _, name in losses[1:]}
    return [f"column {name}" if name in others else name for name in names]


def _split(line: str, separator: str) -> list[str]:
    if separator == "|":
        cells = _PIPES.sub("|", line).strip().strip("|").split("|")
    elif separator == " ":
        cells = _GAP.split(line.strip())
        if len(cells) < 2:
            cells = line.split()
    elif '"' in line:
        try:
            cells = next(csv.reader([line], delimiter=separator, skipinitialspace=True), [])
        except csv.Error:
            return []
    else:
        cells = line.split(separator)
    return [cell.strip().strip("*`") for cell in cells]
