"""Series: the numbers of one metric in a file, of which only the file's name tells what they are.

Wall time,Step,Value                TensorBoard's downloads, run-NAME-tag-train_loss.csv
1741944413.1,10,2.5
,step,value,timestamp               Neptune's; the columns may stand in any order
0,10.0,2.5,2025-03-14 09:26:53
[[1741944413.1, 10, 2.5], …]        the same as JSON
1741944413100 2.5 10                MLflow, mlruns/…/metrics/train_loss
"""

from __future__ import annotations

import re
from collections import deque
from pathlib import PurePath
from typing import Final, NamedTuple

from vlmft_console.history.importers.entries.metric_names import EPOCH, STEP, held_out, known, spelled_out
from vlmft_console.history.importers.entries.parsing import number, whole
from vlmft_console.history.importers.entries.translate import Translator
from vlmft_console.history.importers.printed.torn_end import whole_part
from vlmft_core.run_folder.events import Record
from vlmft_core.run_folder.growing import LineSplitter

_NUMBER: Final = rb"[-+]?(?:\d+\.?\d*(?:[eE][-+]?\d+)?|nan|NaN|inf|Infinity)"
_MLFLOW = re.compile(rb"(\d{12,14}) (%s) (\d{1,15})\s*" % _NUMBER)
"""A time in milliseconds, a value, a step."""
_TRIPLE = re.compile(rb"\[\s*(%s)\s*,\s*(%s)\s*,\s*(%s)\s*\]" % (_NUMBER, _NUMBER, _NUMBER))
_JSON = re.compile(rb"\s*\[\s*\[\s*\d{9,11}\.?\d*(?:[eE]\+?\d+)?\s*,")
_AROUND: Final = b" \t\r,[]"
"""What stands around the triples of JSON."""
_AFTER: Final = "-tag-"
"""What stands before the tag in the names of TensorBoard's downloads."""
_SEPARATORS: Final = b",;\t"
_TIMES: Final = ("wall_time", "walltime", "time", "timestamp")
_BESIDE: Final = ("", "index", "unnamed_0", "relative", "relative_time")
"""Columns that tell nothing more."""
_PLACES: Final = (STEP, EPOCH)
_LAST: Final = 8

Point = tuple[float | None, str, str | int, float | None]
"""Unix time, the place's name, the place, a value."""


class _Columns(NamedTuple):
    """Which cells of a row count."""

    separator: bytes
    time: int | None
    place: int
    quantity: str
    """What the place is: a step or an epoch."""
    value: int
    width: int
    """How many cells a row has."""

    def point(self, line: bytes) -> Point | None:
        cells = _cells(line, self.separator)
        if len(cells) <= max(self.place, self.value) or any(cells[self.width :]):  # a comma within a number, perhaps
            return None
        place = cells[self.place]
        if self.quantity == STEP:
            whole(place)
        return self._seconds(cells), self.quantity, place, number(cells[self.value])

    def _seconds(self, cells: list[str]) -> float | None:
        try:
            return None if self.time is None else number(cells[self.time])
        except (IndexError, ValueError):
            return None  # a date


def is_series(head: bytes) -> bool:
    """Whether a text begins as one of them."""
    first, _, following = head.partition(b"\n")
    if columns := _columns(first):
        try:
            return columns.point(following.partition(b"\n")[0]) is not None
        except ValueError:
            return False
    return _MLFLOW.fullmatch(first) is not None or _JSON.match(head) is not None


def _columns(line: bytes) -> _Columns | None:
    """The columns that a header names; None for a line that is none of a file with one metric."""
    separator = next((line[at : at + 1] for at in range(min(len(line), 200)) if line[at] in _SEPARATORS), b"")
    names = [spelled_out(cell) for cell in _cells(line, separator)] if separator else []
    if names.count("value") != 1:
        return None
    places = [
        (at, kind.quantity) for at, name in enumerate(names) if (kind := known(name)) and kind.quantity in _PLACES
    ]
    times = [at for at, name in enumerate(names) if name in _TIMES]
    if len(places) != 1 or len(times) > 1 or 2 + len(times) + sum(map(names.count, _BESIDE)) != len(names):
        return None
    return _Columns(separator, next(iter(times), None), *places[0], names.index("value"), len(names))


def _cells(line: bytes, separator: bytes) -> list[str]:
    return [cell.strip().strip('"') for cell in line.decode("utf-8", "replace").split(separator.decode())]


def is_mlflow(head: bytes) -> bool:
    """Whether a text begins as a metric that MLflow keeps in its folders."""
    return _MLFLOW.fullmatch(head.partition(b"\n")[0]) is not None


def named_by(path: PurePath) -> str:
    """The metric that a file's name tells, with that of a folder such as `val` before it."""
    name = path.name if not path.suffix[1:].isalpha() else path.stem
    name = name.rpartition(_AFTER)[2]
    return f"{path.parent.name}/{name}" if held_out("split", path.parent.name) else name


def point(line: bytes) -> tuple[float, int, float | None] | None:
    """Unix time, step and value of a line of MLflow's; None for any other line."""
    found = _MLFLOW.fullmatch(line)
    return (int(found[1]) / 1000, int(found[3]), number(found[2].decode())) if found else None


class Series:
    """A `Parser`.

    Args:
        translator: numbers the records.
        name: the metric.
    """

    def __init__(self, translator: Translator, name: str) -> None:
        self._rejected = 0
        self.entries = 0
        self.else_holds = f"it is a series of one metric, {name}"
        self._translator = translator
        self._name = name
        self._lines = LineSplitter()
        self._columns: _Columns | None = None
        self._rows: deque[bytes] = deque(maxlen=_LAST)
        self._told = b""

    @property
    def rejected(self) -> int:
        """Rows that are none, and the last one as long as nothing ends it: more of its number may come."""
        partial = self._lines.partial
        return self._rejected + (partial != self._told and bool(partial.strip(_AROUND)))

    def feed(self, data: bytes) -> list[Record]:
        records: list[Record] = []
        for line in self._lines.feed(data.replace(b"]", b"]\n")):  # JSON stands in one line
            if not self._told or not line.startswith(self._told):
                self._take(line, records)
            self._told = b""
        return records

    def rest(self) -> list[Record]:
        """A last row that lacks its newline alone."""
        records: list[Record] = []
        partial = self._lines.partial
        if partial.strip(_AROUND) and partial != self._told and whole_part(partial, self._rows) == partial:
            rejected = self._rejected
            self._take(partial, records)
            if self._rejected == rejected:
                self._told = partial
            self._rejected = rejected
        return records

    def _take(self, line: bytes, records: list[Record]) -> None:
        if not line.strip(_AROUND):
            return
        if not self.entries and self._columns is None and (columns := _columns(line)):
            self._columns = columns
            return
        try:
            found = self._point(line)
            if found is None:
                raise ValueError("no row")
            time, quantity, place, value = found
            if value is None:
                raise ValueError("no value")
            records += self._translator.take({quantity: place, self._name: value}, time)
        except ValueError:
            self._rejected += 1
        else:
            self._rows.append(line)
            self.entries += 1

    def _point(self, line: bytes) -> Point | None:
        if triple := _TRIPLE.search(line):
            time, step, value = (part.decode() for part in triple.groups())
            return number(time), STEP, step, number(value)
        if self._columns:
            return self._columns.point(line)
        return (told[0], STEP, told[1], told[2]) if (told := point(line)) else None
