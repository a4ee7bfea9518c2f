"""Importers: logs of other programs as records of our own event log. Formats are told by content, never by name."""

from __future__ import annotations

from pathlib import Path

from vlmft_console.history.importers.detect import NothingYet, open_file
from vlmft_console.history.importers.event_log import EventLog
from vlmft_console.history.importers.reader import LogReader
from vlmft_console.history.importers.richest import open_richest
from vlmft_core.run_folder.layout import RunLayout

__all__ = ["LogReader", "NothingYet", "detect", "open_foreign"]


def detect(path: Path) -> str:
    """The format of a log: `trainer_state`, `hf_stdout`, `deepspeed`, `llamafactory`, `msswift`, `jsonl`, …

    Raises:
        VlmftError: it is no training log that can be read; the message says why.
    """
    return open_foreign(path).format


def open_foreign(path: Path) -> LogReader:
    """A reader of the log, of a run folder's own, or of the richest log in another folder; its `path` says which.

    Raises:
        NothingYet: there is no training record, but one may come.
        VlmftError: it is no training log that can be read; the message says why.
    """
    if not path.is_dir():
        return open_file(path)
    return EventLog(path) if RunLayout(path).events_file().exists() else open_richest(path)
