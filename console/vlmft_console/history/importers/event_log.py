"""Event log, our own, offered like the others: one file, as it may lie in a folder among logs of other programs."""

from __future__ import annotations

from pathlib import Path

from vlmft_console.history.importers.entries.contents import Contents
from vlmft_console.history.importers.reader import label_of
from vlmft_core.errors import VlmftError
from vlmft_core.run_folder.batch import Batch
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

    @property
    def contents(self) -> Contents:
        return Contents(trained=True, eval_sets=(), judged_set=None, metrics=())

    def judge_set(self, name: str) -> None:
        raise VlmftError(f"{self.path} is a run of ours: it has one eval set")

    def read(self) -> list[Record]:
        records: list[Record] = next(iter(self._tail.batches()), Batch())
        self.entries += len(records)
        return records
