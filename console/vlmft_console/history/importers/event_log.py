"""Event logs, our own, offered like the others: one file, or all segments of a run folder."""

from __future__ import annotations

from pathlib import Path

from vlmft_console.history.importers.reader import label_of
from vlmft_core.run_folder.events import Record
from vlmft_core.run_folder.layout import RunLayout
from vlmft_core.run_folder.tail import RunTail, Tail


class EventLog:
    """A `LogReader`.

    Args:
        path: an event log, or a run folder.
    """

    format = "vlmft"
    named_steps = True

    def __init__(self, path: Path) -> None:
        self.path = path
        self.label = label_of(path)
        self.entries = 0
        self._tail = RunTail(RunLayout(path).logs) if path.is_dir() else Tail(path)

    @property
    def rejected(self) -> int:
        return self._tail.rejected

    def read(self) -> list[Record]:
        records = next(iter(self._tail.batches()), [])
        self.entries += len(records)
        return records
