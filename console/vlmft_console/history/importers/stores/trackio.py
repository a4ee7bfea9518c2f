"""trackio's database: one SQLite file a project, `PROJECT.db`, with every run's metrics as JSON objects.

    CREATE TABLE metrics (id INTEGER PRIMARY KEY, timestamp TEXT, run_name TEXT, step INTEGER, metrics TEXT)

It is opened read-only and asked for plain columns of plain tables, whatever else its schema holds.
"""

from __future__ import annotations

import contextlib
import math
import os
import sqlite3
from collections import deque
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final
from urllib.parse import quote

from vlmft_console.history.importers.entries.contents import Contents
from vlmft_console.history.importers.entries.translate import Translator
from vlmft_console.history.importers.printed.jsonl import flat, json_object
from vlmft_console.history.importers.reader import BATCH, label_of
from vlmft_core.errors import VlmftError
from vlmft_core.run_folder.events import Record

_COLUMNS: Final = frozenset(("id", "timestamp", "run_name", "step", "metrics"))
_LARGEST: Final = 1 << 20
"""Bytes of a row that is looked at."""
_RUNS: Final = 1000
"""Runs whose names are looked up at once."""


def is_trackio(path: Path) -> bool:
    """Whether an SQLite database has trackio's table of metrics."""
    try:
        with _opened(path) as database:
            return _has_table(database)
    except sqlite3.Error:
        return False


class TrackioDatabase:
    """A `LogReader` of one run after the other, in the order in which they began: so the last is the one judged."""

    format = "trackio"
    named_steps = True

    def __init__(self, path: Path) -> None:
        self.path = path
        self.label = label_of(path)
        self.rejected = 0
        self.entries = 0
        self._translator = Translator(self.label)
        self._waiting: deque[tuple[Any, Any]] = deque()
        """Runs to come: name and first row."""
        self._run: Any = None
        self._first = self._row = -math.inf
        """The row in which the run that is being read began, and the last one of it that was read."""
        self._begun = False

    @property
    def contents(self) -> Contents:
        return self._translator.contents("it is a trackio project without metrics")

    def judge_set(self, name: str) -> None:
        self._translator.judge_set(name)

    def read(self) -> list[Record]:
        """As `LogReader`.

        Raises:
            VlmftError: the database is damaged, or being written in a way that cannot be read.
        """
        records: list[Record] = []
        try:
            with _opened(self.path) as database:
                while len(records) < BATCH and self._next(database, records):
                    pass
        except sqlite3.Error as error:
            raise VlmftError(f"{self.path} cannot be read: {error}") from None
        if not self._begun and not records:
            records.append(self._translator.begin())
            self._begun = True
        return records

    def _next(self, database: sqlite3.Connection, records: list[Record]) -> bool:
        """Read more of the run that is being read, or turn to the next; False when there is nothing more."""
        rows = database.execute(_ROWS, (self._run, self._row, BATCH)).fetchall()
        for row, timestamp, step, metrics in rows:
            self._row = row
            self._entry(timestamp, step, metrics, records)
        if rows:
            return True
        if not self._waiting:
            self._waiting.extend(database.execute(_RUNS_AFTER, (self._first, _RUNS)))
        if not self._waiting:
            return False
        self._run, self._first = self._waiting.popleft()
        self._row, self._begun = -math.inf, True
        records += [self._translator.begin(), self._translator.note(f"trackio's run {str(self._run)[:200]}")]
        return True

    def _entry(self, timestamp: Any, step: Any, metrics: Any, records: list[Record]) -> None:
        try:
            values = flat(json_object(metrics if isinstance(metrics, bytes) else str(metrics).encode()))
            records += self._translator.take({**values, "step": step}, _time(timestamp))
            self.entries += 1
        except ValueError:
            self.rejected += 1


_RUNS_AFTER: Final = "SELECT run_name, min(id) FROM metrics GROUP BY run_name HAVING min(id) > ? ORDER BY 2 LIMIT ?"
_ROWS: Final = "SELECT id, timestamp, step, metrics FROM metrics WHERE run_name = ? AND id > ? ORDER BY id LIMIT ?"


@contextlib.contextmanager
def _opened(path: Path) -> Iterator[sqlite3.Connection]:
    """The database, read-only. What another process is writing is seen only where its journal lies beside it."""
    journal = path.with_name(f"{path.name}-wal")
    being_written = journal.is_file() and journal.stat().st_size > 0
    address = f"file:{quote(os.fsencode(path.absolute()))}?mode=ro" + ("" if being_written else "&immutable=1")
    database = sqlite3.connect(address, uri=True, timeout=2)
    try:
        database.setlimit(sqlite3.SQLITE_LIMIT_LENGTH, _LARGEST)
        database.execute("PRAGMA trusted_schema = OFF")
        yield database
    finally:
        database.close()


def _has_table(database: sqlite3.Connection) -> bool:
    kind = database.execute("SELECT type, sql FROM sqlite_master WHERE name = 'metrics'").fetchone()
    if not kind or kind[0] != "table" or str(kind[1]).upper().startswith("CREATE VIRTUAL"):
        return False
    return {row[1] for row in database.execute("PRAGMA table_info(metrics)")} >= _COLUMNS


def _time(text: Any) -> float | None:
    """Seconds since 1970 of a time as trackio writes it, `2025-01-01T00:00:00.000000+00:00`."""
    try:
        found = datetime.fromisoformat(str(text))
    except ValueError:
        return None
    return (found if found.tzinfo else found.replace(tzinfo=UTC)).timestamp()
