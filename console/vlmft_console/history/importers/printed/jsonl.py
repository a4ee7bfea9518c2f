"""JSON Lines of metrics: LLaMA-Factory's `trainer_log.jsonl`, ms-swift's `logging.jsonl` and their like."""

from __future__ import annotations

import json
from collections.abc import Mapping
from contextlib import suppress
from typing import Any, Final

import orjson

from vlmft_console.history.importers.entries.long_entries import LongEntries
from vlmft_console.history.importers.entries.translate import Translator
from vlmft_console.history.importers.printed.hf_dict import metrics_in
from vlmft_core.run_folder.events import Record
from vlmft_core.run_folder.growing import LineSplitter

_DEPTH: Final = 4
"""Objects inside one another that are taken apart."""

_WRAPPERS: Final = frozenset(("metrics", "data", "values", "logs", "log", "scalars", "history"))
"""Names of objects that only hold an entry's metrics."""


class JsonLines:
    """A `Parser` of one entry a line. Two writers of one file, as ms-swift's ranks can be, count as one."""

    def __init__(self, translator: Translator) -> None:
        self.entries = 0
        self._rejected = 0
        self.else_holds = ""
        self._lines = LineSplitter()
        self._translator = translator
        self._long = LongEntries()

    @property
    def rejected(self) -> int:
        return self._rejected + self._lines.dropped

    def feed(self, data: bytes) -> list[Record]:
        records: list[Record] = []
        for line in self._lines.feed(data):
            if line and not line.isspace():
                try:
                    whole = self._long.add(_values(line))
                except ValueError:
                    self._rejected += 1
                else:
                    self._take(whole, records)
        return records

    def rest(self) -> list[Record]:
        """A last object that no newline ends: whatever follows does not belong to it."""
        records: list[Record] = []
        with suppress(ValueError):  # not whole yet
            whole = self._long.add(_values(self._lines.partial))
            self._lines.end_line()
            self._take(whole, records)
        self._take(self._long.rest(), records)
        return records

    def _take(self, whole: list[Mapping[str, Any]], records: list[Record]) -> None:
        for values in whole:
            try:
                records += self._translator.take(values, row=True)
            except ValueError:
                self._rejected += 1
            else:
                self.entries += 1


def _values(line: bytes) -> Mapping[str, Any]:
    """The metrics of a line.

    Raises:
        ValueError: it is none.
    """
    try:
        return flat(json_object(line))
    except ValueError:
        if values := metrics_in(line.strip()):  # JSON but for a bare nan, say
            return values
        raise


def flat(values: dict[str, Any]) -> dict[str, Any]:
    """An object whose objects are taken apart, the names joined: `{"train": {"loss": 1}}` as `{"train/loss": 1}`."""
    if dict not in map(type, values.values()):
        return values
    found: dict[str, Any] = {}
    todo = [("", values, 0)]
    while todo:
        prefix, inner, depth = todo.pop()
        for name, value in inner.items():
            if type(value) is dict and depth < _DEPTH:
                todo.append((prefix if name in _WRAPPERS else f"{prefix}{name}/", value, depth + 1))
            else:
                found[prefix + name] = value
    return found


def json_object(line: bytes) -> dict[str, Any]:
    """One line's object; NaN and Infinity are understood.

    Raises:
        ValueError: the line is no object.
    """
    try:
        values = orjson.loads(line.removeprefix(b"\xef\xbb\xbf"))
    except orjson.JSONDecodeError:
        try:
            values = json.loads(line)
        except RecursionError:
            raise ValueError("nested too deeply") from None
    if not isinstance(values, dict):
        raise ValueError("no object")
    return values
