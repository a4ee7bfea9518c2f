"""Event log, our own, offered like the others: one file, as it may lie in a folder among logs of other programs."""

from __future__ import annotations

from pathlib import Path

from vlmft_console.history.importers.reader import label_of
from vlmft_core.run_folder.events import Record
from vlmft_core.run_folder.tail import Tail


class EventLog:
    """A `LogReader`.

    Args:
        path: an event log.
    """

    format = "vlmft"
    named_steps = True

    def __init__(self, path: Path) -> None:
        self.path = path
        self.label = label_of(path)
        self.entries = 0
        self._tail = Tail(path)

    @property
    def rejected(self) -> int:
        return self._tail.rejected

    def read(self) -> list[Record]:
        records = next(iter(self._tail.batches()), [])
        self.entries += len(records)
        return records
