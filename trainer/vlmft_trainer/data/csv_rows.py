"""CSV rows: records below a line of column names, every cell a text."""

from __future__ import annotations

import csv
import io
from array import array
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from vlmft_core.errors import DataError
from vlmft_core.figures import counted
from vlmft_core.plan.data_files import csv_records
from vlmft_trainer.data.conversation import NOT_UTF8, WRONG_SCHEMA, BadRow
from vlmft_trainer.data.file_faults import HEAD, not_utf8, refuse_encoding
from vlmft_trainer.data.rows import FileRows

_BOM = b"\xef\xbb\xbf"


@dataclass(frozen=True)
class CsvRows(FileRows):
    """A CSV or TSV file.

    Attributes:
        columns: the names on its first line.
    """

    delimiter: str
    columns: tuple[str, ...]

    def __getitem__(self, row: int) -> Mapping[str, Any]:
        try:
            cells = _cells(self.content(row), self.delimiter)
        except UnicodeDecodeError as error:
            raise BadRow(NOT_UTF8, not_utf8(error)) from error
        if len(cells) != len(self.columns):
            raise BadRow(
                WRONG_SCHEMA, f"{counted(len(cells), 'cell')}, and the file's first line names {len(self.columns)}"
            )
        return dict(zip(self.columns, cells, strict=True))


def open_csv(path: Path, delimiter: str, name: Path) -> CsvRows:
    """Find the records of a CSV file.

    Args:
        name: the file in messages.

    Raises:
        DataError: it cannot be read, or is broken somewhere.
    """
    starts, ends, lines = array("q"), array("q"), array("q")
    columns: tuple[str, ...] = ()
    last = 1
    try:
        with path.open("rb") as file:
            refuse_encoding(name, file.read(HEAD))
            file.seek(0)
            for start, end, last, _ in csv_records(file, delimiter):
                if not columns:
                    columns = _header(path, start, end, delimiter, name)
                    continue
                starts.append(start)
                ends.append(end)
                lines.append(last)
    except csv.Error as error:
        if str(error).startswith("new-line character"):
            raise DataError(
                f"data source {name}: its lines end with CR alone", "end them with LF, or CR and LF"
            ) from error
        raise DataError(
            f"data source {name}: behind line {last}: {error}",
            "quotes within a quoted cell are doubled",
        ) from error
    except OSError as error:
        raise DataError(f"data source {name}: {error.strerror}") from error
    return CsvRows(path, name, starts, ends, lines, delimiter, columns)


def _header(path: Path, start: int, end: int, delimiter: str, name: Path) -> tuple[str, ...]:
    """The column names of the first record.

    Raises:
        DataError: they cannot be told apart.
    """
    with path.open("rb") as file:
        file.seek(start)
        content = file.read(end - start).removeprefix(_BOM)
    try:
        columns = _cells(content, delimiter)
    except UnicodeDecodeError as error:
        raise DataError(f"data source {name}, line 1: {not_utf8(error)}") from error
    if twice := next((column for column in columns if column and columns.count(column) > 1), None):
        raise DataError(f"data source {name}, line 1: two columns are named {twice}")
    if "" in columns:
        raise DataError(
            f"data source {name}, line 1: column {columns.index('') + 1} has no name", "name it, or leave it out"
        )
    if len(columns) == 1 and (other := next((mark for mark in ";\t|," if mark in columns[0]), None)):
        shown = {"\t": "tabs", ",": "commas"}.get(other, other)
        raise DataError(
            f"data source {name}, line 1: the columns seem to be separated by {shown}",
            "a .csv file has commas, a .tsv file tabs",
        )
    return tuple(columns)


def _cells(content: bytes, delimiter: str) -> list[str]:
    """The cells of one record.

    Raises:
        UnicodeDecodeError: it is not UTF-8.
    """
    reader = csv.reader(io.StringIO(content.decode(), newline=""), delimiter=delimiter, strict=True)
    return next(reader, [])  # a file that is a byte order mark alone has none
