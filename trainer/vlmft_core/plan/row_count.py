"""Row count of a file of rows on this machine, for a plan."""

from __future__ import annotations

import csv
import gzip
import zlib
from functools import lru_cache
from pathlib import Path
from typing import Final

import orjson

from vlmft_core.plan.data_files import DELIMITERS, GZIP, csv_records, kind

LARGEST_COUNTED: Final = 128 * 2**20
"""Bytes of the largest file, unpacked, whose rows are counted for a plan: about half a second."""

_BOM = b"\xef\xbb\xbf"


def count_rows(file: Path) -> int | None:
    """Entries of a list, lines that are not blank, or records below a header; usable or not. None where the file is too
    large or broken."""
    try:
        info = file.stat()
        return _counted(file, info.st_mtime_ns, info.st_size) if info.st_size <= LARGEST_COUNTED else None
    except (OSError, ValueError, EOFError, zlib.error, csv.Error):
        return None


@lru_cache(maxsize=16)
def _counted(file: Path, changed: int, size: int) -> int | None:
    """Counted once for each state of the file: a plan is made anew at every key that is typed."""
    with gzip.open(file) if file.suffix.lower() == GZIP else file.open("rb") as opened:
        content = opened.read(LARGEST_COUNTED + 1).removeprefix(_BOM)
    if len(content) > LARGEST_COUNTED:
        return None
    if delimiter := DELIMITERS.get(kind(file)):
        return max(0, sum(1 for _ in csv_records(content.splitlines(keepends=True), delimiter)) - 1)
    if content.lstrip().startswith(b"["):
        return len(orjson.loads(content))
    return sum(1 for line in content.split(b"\n") if line.strip())
