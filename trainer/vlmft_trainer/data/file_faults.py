"""File faults: what is wrong with a data file that is not what its name says, in words that help to mend it."""

from __future__ import annotations

import json
import mmap
from pathlib import Path
from typing import Any, Final

import orjson

from vlmft_core.errors import DataError
from vlmft_core.plan.weight_file import LFS_POINTER
from vlmft_trainer.data.chats import holds_turns
from vlmft_trainer.data.row_keys import ROW

HEAD: Final = 256
"""Bytes of a file's beginning that tell what else it is."""

LARGEST_SHOWN: Final = 256 * 2**20
"""Bytes of a file's beginning that are looked at to tell what is wrong with it."""


def refuse_encoding(name: Path, head: bytes) -> None:
    """Refuse a file in an encoding of two or four bytes a character, a packed one, and what a download left instead.

    Args:
        name: the file in messages.
        head: its first `HEAD` bytes.

    Raises:
        DataError: it is one.
    """
    if head.startswith(LFS_POINTER):
        raise DataError(
            f"data source {name}: it is a Git LFS pointer, not the file itself", "run `git lfs pull` in its folder"
        )
    if head.lstrip()[:1] == b"<" and b"<html" in head.lower():
        raise DataError(f"data source {name}: it is a web page, not data", "download the file again")
    if head[:2] == b"\x1f\x8b":
        raise DataError(f"data source {name}: it is gzipped", "let its name end with .gz")
    if head[:4] in (b"PK\x03\x04", b"PAR1", b"ARRO", b"\x28\xb5\x2f\xfd"):
        kinds = {b"PK": "a zip archive", b"PA": "a Parquet file", b"AR": "an Arrow file"}
        raise DataError(
            f"data source {name}: it is {kinds.get(head[:2], 'packed by zstd')}, not text", "unpack it, or name it so"
        )
    if head[:2] in (b"\xff\xfe", b"\xfe\xff") or b"\0" in head[:2]:
        code = "UTF-32" if head[2:4] == b"\0\0" or head[:2] == b"\0\0" else "UTF-16"
        raise DataError(
            f"data source {name}, line 1: not UTF-8: it looks like {code}", f"iconv -f {code} -t UTF-8 converts it"
        )


def not_utf8(error: UnicodeDecodeError) -> str:
    """What a row is that is not UTF-8."""
    content, at = bytes(error.object), error.start
    if content[at] == 0xED and content[at + 1 : at + 2] >= b"\xa0":
        return f"not UTF-8: half of a character (a lone surrogate) at place {at + 1}: write the whole one, or remove it"
    guess = "UTF-16" if b"\0" in content else "Latin-1 or Windows-1252"
    code = "UTF-16" if b"\0" in content else "WINDOWS-1252"
    return (
        f"not UTF-8: byte 0x{content[at]:02x} at place {at + 1}; it looks like {guess}:"
        f" iconv -f {code} -t UTF-8 converts it"
    )


def not_json(content: bytes, error: orjson.JSONDecodeError) -> str:
    """Why a row is no JSON object."""
    try:
        text = content.decode()
        json.loads(text, parse_constant=_refuse_constant)
    except UnicodeDecodeError as undecoded:
        return not_utf8(undecoded)
    except json.JSONDecodeError as wrong:
        if text.lstrip().startswith("{'"):
            return "single quotes, which are Python's: JSON has double ones"
        if wrong.pos >= len(text.rstrip()) or wrong.msg.startswith("Unterminated string"):
            return f"it does not end on its line: a file of JSON lines has a whole object on each ({wrong.msg})"
        if wrong.msg == "Extra data":
            return f"something follows the object, at place {wrong.pos + 1}: {text[wrong.pos :][:40]}"
        return f"{wrong.msg} at place {wrong.pos + 1}: {text[wrong.pos :][:40]}"
    except _Constant as constant:
        return f"{constant} is no value of JSON: write null, or leave the key out"
    except RecursionError:
        pass
    return str(error)


def repeated_key(content: bytes, values: Any) -> str | None:
    """A key that an object of a JSON text has twice, of which only the last is in `values`."""
    found: list[str] = []

    def pairs(items: list[tuple[str, Any]]) -> None:
        seen: set[str] = set()
        for key, _ in items:
            if key in seen:
                found.append(key)
            seen.add(key)

    try:
        if content.count(b'":') != _count_keys(values):  # as many in most rows, and that costs little to see
            json.loads(content, object_pairs_hook=pairs)
    except RecursionError:  # hundreds of levels: no row has so many
        return None
    return found[0] if found else None


def _count_keys(value: Any) -> int:
    """The keys of all objects in a value."""
    count, left = 0, [value]
    while left:
        one = left.pop()
        if isinstance(one, dict):
            count += len(one)
            left.extend(one.values())
        elif isinstance(one, list):
            left.extend(one)
    return count


class _Constant(Exception):
    """NaN or Infinity, which Python reads and JSON does not have."""


def _refuse_constant(name: str) -> None:
    raise _Constant(name)


def refuse_document(name: Path, content: mmap.mmap, start: int, rows: int) -> None:
    """Refuse a JSON file that is one object over several lines, several of them, or holds the rows in a list within.

    Args:
        name: the file in messages.
        start: where its text begins, in bytes.
        rows: lines that are not blank.

    Raises:
        DataError: it is so.
    """
    end = content.find(b"\n", start)
    if rows > 1 and _is_object(content[start:end]):
        return
    text = str(content[: start + LARGEST_SHOWN], "latin-1")
    try:
        document, end = json.JSONDecoder(strict=False).raw_decode(text, start)
    except (ValueError, RecursionError):
        return
    if not isinstance(document, dict):
        return
    line = text.count("\n", 0, start) + 1
    for key, value in document.items():
        if key not in ROW.known and _holds_rows(value):  # one row may list its images as objects
            at = text.count("\n", 0, text.find(json.dumps(key), start)) + 1
            raise DataError(
                f"data source {name}, line {at}: the rows are wrapped in an object, as a list under {json.dumps(key)}",
                f"jq {json.dumps('.' + key)} {name} > rows.json takes the list out",
            )
    if rows_by := _rows_by(document):
        raise DataError(
            f"data source {name}, line {line}: an object of {rows_by}, not a list of rows", "write the list"
        )
    last = line + text.count("\n", start, end)
    if last > line:
        raise DataError(
            f"data source {name}, lines {line} to {last}: an object over several lines; JSON lines have one on each",
            f"jq -c . {name} > rows.jsonl writes it so",
        )


def _is_object(line: bytes) -> bool:
    try:
        orjson.loads(line)
    except orjson.JSONDecodeError:
        return False
    return True


def _rows_by(document: dict[str, Any]) -> str:
    """How one object holds several rows, in words; empty where it does not look like that."""
    values = list(document.values())
    if len(values) > 1 and all(isinstance(value, dict) for value in values):
        return "rows under keys"
    plain = all(isinstance(value, list) and not any(isinstance(one, dict) for one in value) for value in values)
    return "columns" if plain and len({len(value) for value in values}) == 1 and len(values) > 1 else ""


def _holds_rows(value: Any) -> bool:
    """Whether a value is a list of objects that are not turns."""
    return (
        isinstance(value, list)
        and bool(value)
        and all(isinstance(row, dict) for row in value[:20])
        and not holds_turns(value[:20])
    )
