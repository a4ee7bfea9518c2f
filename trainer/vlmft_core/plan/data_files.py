"""Data files: what kinds there are, which of them holds a split, and where the records of a CSV file are."""

from __future__ import annotations

import csv
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Final

JSON: Final = (".json", ".jsonl", ".ndjson")
DELIMITERS: Final = {".csv": ",", ".tsv": "\t"}
ROW_FILES: Final = (*JSON, *DELIMITERS)
"""Files whose rows are read one at a time, where they stand."""
PARQUET: Final = ".parquet"
ARROW: Final = ".arrow"
TABLES: Final = {PARQUET: "parquet", ARROW: "arrow"}
"""Files that `datasets` opens, and what it calls their formats."""
GZIP: Final = ".gz"

LARGEST_CELL: Final = 64 * 2**20
"""Bytes of the largest cell of a CSV file."""


def plain_name(file: Path) -> str:
    """A file's name without the `.gz` that any kind may have."""
    return file.name[: -len(GZIP)] if file.suffix.lower() == GZIP else file.name


def kind(file: Path) -> str:
    """The suffix that says what a file holds."""
    return Path(plain_name(file)).suffix.lower()


def row_files(path: Path, split: str) -> list[Path]:
    """The files of rows that hold a split: the path itself, or files of the split's name in that folder."""
    if path.is_file():
        return [path] if kind(path) in ROW_FILES and split == "train" else []
    named = [path / split, *(path / f"{split}{suffix}{packed}" for suffix in ROW_FILES for packed in ("", GZIP))]
    return [file for file in named if kind(file) in ROW_FILES and file.is_file()]


def csv_records(lines: Iterable[bytes], delimiter: str) -> Iterator[tuple[int, int, int, list[str]]]:
    """(start, end, line, cells) of each record that is not blank, the header too: bytes, and its first line from 1.

    The cells are in Latin-1, one character a byte: only the structure counts here.

    Raises:
        csv.Error: a quote is not closed, or something follows it.
    """
    csv.field_size_limit(LARGEST_CELL)
    read = 0

    def texts() -> Iterator[str]:
        nonlocal read
        for line in lines:
            read += len(line)
            yield line.decode("latin-1")

    reader = csv.reader(texts(), delimiter=delimiter, strict=True)
    start, line = 0, 1
    for cells in reader:
        if cells:
            yield start, read, line, cells
        start, line = read, reader.line_num + 1
