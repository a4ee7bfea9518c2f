"""Rows of a data file or table, read one at a time and named as a person finds them."""

from __future__ import annotations

import json
import mmap
import re
from array import array
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Protocol

import orjson

from vlmft_core.errors import DataError
from vlmft_trainer.data.conversation import HUGE_ROW, NOT_JSON, WRONG_SCHEMA, BadRow
from vlmft_trainer.data.file_faults import HEAD, not_json, refuse_document, refuse_encoding, repeated_key
from vlmft_trainer.data.row_keys import kind

LARGEST_ROW: Final = 64 * 2**20
"""Bytes of the largest row of a JSON file that is read."""

_BLANK = re.compile(rb"\s*")
_SPACE = re.compile(r"[ \t\r\n]*")
_BOM = b"\xef\xbb\xbf"


class Rows(Protocol):
    """Rows by number, from 0."""

    def __len__(self) -> int: ...

    def __getitem__(self, row: int) -> Mapping[str, Any]:
        """One row's columns.

        Raises:
            BadRow: it cannot be read.
        """

    def where(self, row: int) -> str:
        """How a message names the row."""


@dataclass(frozen=True)
class FileRows:
    """A file of rows of which only the places are kept.

    Attributes:
        name: the file in messages, which may be packed.
        starts: where each row begins, in bytes.
        ends: where it ends.
        lines: on which line it begins, from 1.
    """

    file: Path
    name: Path
    starts: array[int]
    ends: array[int]
    lines: array[int]

    def __len__(self) -> int:
        return len(self.starts)

    def content(self, row: int) -> bytes:
        """A row as it stands in the file.

        Raises:
            BadRow: it is too large.
        """
        size = self.ends[row] - self.starts[row]
        if size > LARGEST_ROW:
            raise BadRow(HUGE_ROW, f"{size >> 20} MiB, over {LARGEST_ROW >> 20}")
        with self.file.open("rb", buffering=0) as file:  # one read: a buffer would only be filled for nothing
            file.seek(self.starts[row])
            return file.read(size)

    def where(self, row: int) -> str:
        """How a message names the row: by its line, and by its number from 1 where others begin on that line."""
        line = self.lines[row]
        shared = line in (*self.lines[max(row - 1, 0) : row], *self.lines[row + 1 : row + 2])
        return f"{self.name}, line {line}" + (f", row {row + 1}" if shared else "")


@dataclass(frozen=True)
class JsonRows(FileRows):
    """A JSON file that is a list, or has an object on each line."""

    def __getitem__(self, row: int) -> Mapping[str, Any]:
        content = self.content(row)
        try:
            values = orjson.loads(content)
        except orjson.JSONDecodeError as error:
            raise BadRow(NOT_JSON, not_json(content, error)) from error
        if not isinstance(values, dict):
            raise BadRow(WRONG_SCHEMA, f"{kind(values)}, not an object")
        if (twice := repeated_key(content, values)) is not None:
            raise BadRow(WRONG_SCHEMA, f"key {twice:.60} is there twice")
        return values


def open_json(path: Path, name: Path | None = None) -> JsonRows:
    """Find the rows of a JSON file.

    Args:
        name: the file in messages, if not the path.

    Raises:
        DataError: it cannot be read, or is a list that is broken somewhere.
    """
    name = name or path
    starts, ends, lines = array("q"), array("q"), array("q")
    try:
        with path.open("rb") as file:
            if not file.seek(0, 2):
                return JsonRows(path, name, starts, ends, lines)
            with mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as content:
                refuse_encoding(name, content[:HEAD])
                begin = len(_BOM) if content[: len(_BOM)] == _BOM else 0
                first = _BLANK.match(content, begin)
                whole = first is not None and content[first.end() : first.end() + 1] == b"["
                for start, end, line in _entries(name, content, begin) if whole else _lines(content, begin):
                    starts.append(start)
                    ends.append(end)
                    lines.append(line)
                if not whole and first is not None:
                    refuse_document(name, content, first.end(), len(starts))
    except OSError as error:
        raise DataError(f"data source {name}: {error.strerror}") from error
    return JsonRows(path, name, starts, ends, lines)


def _lines(content: mmap.mmap, begin: int) -> Iterator[tuple[int, int, int]]:
    """(start, end, line) of every line that is not blank."""
    line, size = 1, len(content)
    while begin < size:
        end = content.find(b"\n", begin)
        end = size if end < 0 else end
        blank = _BLANK.match(content, begin, end)
        if blank is None or blank.end() < end:
            yield begin, end, line
        begin, line = end + 1, line + 1


def _entries(name: Path, content: mmap.mmap, begin: int) -> Iterator[tuple[int, int, int]]:
    """(start, end, line) of every entry of a list.

    Raises:
        DataError: the list is broken.
    """
    # One character a byte, so that places in the text are places in the file; only the structure is looked at.
    text = str(content, "latin-1")
    decoder = json.JSONDecoder(strict=False)
    at, line, counted = _skip(text, text.index("[", begin) + 1), 1, 0
    closed = text[at : at + 1] == "]"
    at += closed
    while not closed:
        line, counted = line + text.count("\n", counted, at), at
        try:
            _, end = decoder.raw_decode(text, at)
        except (ValueError, RecursionError) as error:
            wrong = getattr(error, "msg", None) or str(error)
            raise DataError(f"data source {name}: the entry on line {line} is not JSON: {wrong}") from error
        yield at, end, line
        at = _skip(text, end)
        if text[at : at + 1] not in ("]", ","):
            line += text.count("\n", counted, at)
            raise DataError(f"data source {name}: line {line}: neither a comma nor the end of the list")
        closed = text[at] == "]"
        at = _skip(text, at + 1)
    if (behind := _skip(text, at)) < len(text):
        line += text.count("\n", counted, behind)
        raise DataError(
            f"data source {name}, line {line}: something stands behind the list",
            "write one list of all rows, or one object on each line",
        )


def _skip(text: str, at: int) -> int:
    """The first place from `at` on that is not blank."""
    found = _SPACE.match(text, at)
    return at if found is None else found.end()
