"""Series: the numbers of one metric in a file, of which only the file's name tells what they are.

Wall time,Step,Value                TensorBoard's downloads, run-NAME-tag-train_loss.csv
1741944413.1,10,2.5
[[1741944413.1, 10, 2.5], …]        the same as JSON
1741944413100 2.5 10                MLflow, mlruns/…/metrics/train_loss
"""

from __future__ import annotations

import re
from pathlib import PurePath
from typing import Final

from vlmft_console.history.importers.entries.metric_names import STEP
from vlmft_console.history.importers.entries.parsing import number
from vlmft_console.history.importers.entries.translate import Translator
from vlmft_core.run_folder.events import Record
from vlmft_core.run_folder.growing import LineSplitter

_NUMBER: Final = rb"[-+]?(?:\d+\.?\d*(?:[eE][-+]?\d+)?|nan|NaN|inf|Infinity)"
_HEADER = re.compile(
    rb'(?:"?wall[ _]?time"?|"?timestamp"?)?[,;\t]?"?(?:global_)?step"?[,;\t]"?value"?\s*', re.IGNORECASE
)
_ROW = re.compile(rb"\s*(?:(%s)[,;\t])?(%s)[,;\t](%s)\s*" % (_NUMBER, _NUMBER, _NUMBER))
"""A time, a step, a value."""
_MLFLOW = re.compile(rb"(\d{12,14}) (%s) (\d{1,15})\s*" % _NUMBER)
"""A time in milliseconds, a value, a step."""
_TRIPLE = re.compile(rb"\[\s*(%s)\s*,\s*(%s)\s*,\s*(%s)\s*\]" % (_NUMBER, _NUMBER, _NUMBER))
_JSON = re.compile(rb"\s*\[\s*\[\s*\d{9,11}\.?\d*(?:[eE]\+?\d+)?\s*,")
_AROUND: Final = b" \t\r,[]"
"""What stands around the triples of JSON."""
_AFTER: Final = "-tag-"
"""What stands before the tag in the names of TensorBoard's downloads."""


def is_series(head: bytes) -> bool:
    """Whether a text begins as one of them."""
    first, _, following = head.partition(b"\n")
    if _HEADER.fullmatch(first):
        return _ROW.fullmatch(following.partition(b"\n")[0]) is not None
    return _MLFLOW.fullmatch(first) is not None or _JSON.match(head) is not None


def is_mlflow(head: bytes) -> bool:
    """Whether a text begins as a metric that MLflow keeps in its folders."""
    return _MLFLOW.fullmatch(head.partition(b"\n")[0]) is not None


def named_by(path: PurePath) -> str:
    """The metric that a file's name tells."""
    name = path.name if not path.suffix[1:].isalpha() else path.stem
    return name.rpartition(_AFTER)[2]


def point(line: bytes) -> tuple[float | None, int, float | None] | None:
    """Unix time, step and value of a row; None for any other line."""
    if found := _MLFLOW.fullmatch(line):
        return int(found[1]) / 1000, int(found[3]), number(found[2].decode())
    if (found := _ROW.fullmatch(line)) and (step := float(found[2])).is_integer() and 0 <= step < 2**53:
        return float(found[1]) if found[1] else None, int(step), number(found[3].decode())
    return None


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

    @property
    def rejected(self) -> int:
        """Rows that are none, and the last one as long as nothing ends it: more of its number may come."""
        return self._rejected + bool(self._lines.partial.strip(_AROUND))

    def feed(self, data: bytes) -> list[Record]:
        records: list[Record] = []
        for line in self._lines.feed(data.replace(b"]", b"]\n")):  # JSON stands in one line
            self._take(line, records)
        return records

    def rest(self) -> list[Record]:
        return []

    def _take(self, line: bytes, records: list[Record]) -> None:
        if triple := _TRIPLE.search(line):
            line = b",".join(triple.groups())
        if not line.strip(_AROUND) or (not self.entries and _HEADER.fullmatch(line)):
            return
        if (found := point(line)) is None:
            self._rejected += 1
            return
        time, step, value = found
        records += self._translator.take({STEP: step, self._name: value}, time)
        self.entries += 1
