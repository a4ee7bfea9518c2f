"""Importers: logs of other programs as records of our own event log. Formats are told by content, never by name."""

from __future__ import annotations

from pathlib import Path

from vlmft_console.history.importers.detect import NothingYet, open_file
from vlmft_console.history.importers.reader import LogReader
from vlmft_console.history.importers.richest import open_richest

__all__ = ["LogReader", "NothingYet", "open_foreign"]


def open_foreign(path: Path, eval_set: str | None = None) -> LogReader:
    """A reader of the log, or of the richest one in a folder; its `path` says which.

    Args:
        path: a file or a folder.
        eval_set: the set whose evals are judged, where there are several; by default the first, or the unnamed one
            beside it.

    Raises:
        NothingYet: there is no training record, but one may come.
        VlmftError: it is no training log that can be read; the message says why.
    """
    reader = open_richest(path) if path.is_dir() else open_file(path)
    if eval_set is not None:
        reader.judge_set(eval_set)
    return reader
