"""Row count of a file of rows on this machine, for a plan."""

from __future__ import annotations

import csv
import gzip
import zlib
from collections.abc import Callable
from contextlib import suppress
from functools import lru_cache
from itertools import islice
from pathlib import Path
from typing import Any, Final, TypeVar

import orjson

from vlmft_core.plan.arrow_rows import arrow_rows
from vlmft_core.plan.data_files import ARROW, DELIMITERS, GZIP, PARQUET, ROW_FILES, csv_records, kind
from vlmft_core.plan.parquet_rows import parquet_rows

LARGEST_COUNTED: Final = 128 * 2**20
"""Bytes of the largest file, unpacked, whose rows are counted for a plan: about half a second."""

FIRST: Final = 20
"""Rows that `first_rows` reads."""

T = TypeVar("T")

_BOM = b"\xef\xbb\xbf"


def count_rows(file: Path) -> int | None:
    """Entries of a list, lines that are not blank, records below a header, or what a Parquet or Arrow file says; usable
    or not. None where the file is too large, broken, or of another kind."""
    if count := {PARQUET: parquet_rows, ARROW: arrow_rows}.get(file.suffix.lower()):
        with suppress(OSError, ValueError):
            return count(file)
    return _ask(file, _counted) if kind(file) in ROW_FILES else None


def first_rows(file: Path) -> list[dict[str, Any]]:
    """The first rows that are objects, as texts where a CSV file has them; none where the file is too large, broken or
    a table."""
    return (_ask(file, _first) if kind(file) in ROW_FILES else None) or []


def _ask(file: Path, ask: Callable[[Path, int, int], T]) -> T | None:
    try:
        info = file.stat()
        return ask(file, info.st_mtime_ns, info.st_size) if info.st_size <= LARGEST_COUNTED else None
    except (OSError, ValueError, EOFError, zlib.error, csv.Error):
        return None


@lru_cache(maxsize=16)
def _counted(file: Path, changed: int, size: int) -> int | None:
    """Counted once for each state of the file: a plan is made anew at every key that is typed."""
    content = _content(file)
    if content is None:
        return None
    if delimiter := DELIMITERS.get(kind(file)):
        return max(0, sum(1 for _ in csv_records(content.splitlines(keepends=True), delimiter)) - 1)
    if content.lstrip().startswith(b"["):
        return len(orjson.loads(content))
    return sum(1 for line in content.split(b"\n") if line.strip())


@lru_cache(maxsize=16)
def _first(file: Path, changed: int, size: int) -> list[dict[str, Any]]:
    content = _content(file) or b""
    if delimiter := DELIMITERS.get(kind(file)):
        records = csv_records(content.splitlines(keepends=True), delimiter)
        head, *rows = (cells for _, _, _, cells in islice(records, FIRST + 1))
        return [dict(zip(head, cells, strict=False)) for cells in rows]
    if content.lstrip().startswith(b"["):
        found = orjson.loads(content)[:FIRST]
    else:
        found = [orjson.loads(line) for line in islice(filter(bytes.strip, content.split(b"\n")), FIRST)]
    return [row for row in found if isinstance(row, dict)]


def _content(file: Path) -> bytes | None:
    """A file's bytes, unpacked; None where they are too many."""
    with gzip.open(file) if file.suffix.lower() == GZIP else file.open("rb") as opened:
        content = opened.read(LARGEST_COUNTED + 1).removeprefix(_BOM)
    return content if len(content) <= LARGEST_COUNTED else None
