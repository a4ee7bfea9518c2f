"""Strict YAML: plain data with the line of every key, read in one pass over PyYAML's events.

Numbers and words follow YAML 1.2's core schema: `4e-5` is a float, `no` and `on` are text. A number with a leading
zero is refused, because YAML 1.1 reads `017` as 15 and 1.2 as 17. Anchors, aliases, tags, duplicate keys, keys that
are not text and a second document are refused too, so what a file says can be read off it without surprises.
"""

from __future__ import annotations

import os
import re
import stat
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

import yaml

from vlmft_core.errors import PresetError

MAX_BYTES = 1 << 20
MAX_DEPTH = 10
MAX_NUMBER = 64
"""Longest number, in characters: Python itself refuses integers over 4,300 digits."""

_LOADER: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_WORDS = {
    **dict.fromkeys(("", "~", "null", "Null", "NULL"), None),
    **dict.fromkeys(("true", "True", "TRUE"), True),
    **dict.fromkeys(("false", "False", "FALSE"), False),
}
_LEADING_ZERO = re.compile(r"[-+]?0\d+")
_INTEGER = re.compile(r"[-+]?\d+|0o[0-7]+|0x[0-9a-fA-F]+", re.ASCII)
NUMBER = re.compile(
    r"[-+]?(?:\.\d+|\d+(?:\.\d*)?)(?:[eE][-+]?\d+)?|0o[0-7]+|0x[0-9a-fA-F]+|[-+]?\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN)",
    re.ASCII,
)
"""Everything the core schema reads as a number."""


class Origin(NamedTuple):
    """Where a value was said. `line` counts from 1; it is None for a value from the command line."""

    file: str
    line: int | None

    def __str__(self) -> str:
        return self.file if self.line is None else f"{self.file}:{self.line}"


@dataclass
class Document:
    """What a file says, and where.

    `lines` maps dotted paths (`training.epochs`, list items by number: `data.sources.0.task`) to lines, from 1.
    """

    data: Any = None
    lines: dict[str, int] = field(default_factory=dict)


def parse(text: str, name: str) -> Document:
    """Parse one document.

    Args:
        text: the YAML.
        name: file name for errors.

    Raises:
        PresetError: with `name:line` in front, for anything that is not strict YAML.
    """
    if len(text.encode(errors="surrogatepass")) > MAX_BYTES:
        raise PresetError(f"{name}: larger than 1 MiB", "a preset is a few KiB")
    try:
        return _Builder(name).build(text)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        where = f"{name}:{mark.line + 1}" if mark else name
        raise PresetError(f"{where}: not valid YAML: {error.problem or error.context}") from None
    except (yaml.YAMLError, UnicodeError):
        bad = _unprintable(text)
        raise PresetError(f"{name}:{bad}: a control character or half a character") from None


def read_text(path: Path) -> str:
    """Read a small text file: UTF-8, with or without a byte order mark.

    Raises:
        PresetError: if the path is missing, unreadable, over 1 MiB, not a regular file or not UTF-8. A FIFO or a
            device is never opened, so nothing hangs.
    """
    try:
        if not stat.S_ISREG(path.stat().st_mode):
            raise PresetError(f"{path}: not a regular file", "give the path of a file")
        with path.open("rb") as file:
            data = file.read(MAX_BYTES + 1)
    except OSError as error:
        raise PresetError(f"{path}: cannot be read: {os.strerror(error.errno or 0)}") from None
    except ValueError:  # a NUL in the path
        raise PresetError(f"{str(path)!r}: not a path") from None
    if len(data) > MAX_BYTES:
        raise PresetError(f"{path}: larger than 1 MiB", "a preset is a few KiB")
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise PresetError(f"{path}:{line}: not UTF-8", "save the file as UTF-8") from None


def shown(value: object) -> str:
    """A value as an error message shows it: one short line, control characters escaped."""
    text = repr(value) if isinstance(value, str) else str(value)
    text = printable(text)
    return text if len(text) <= 60 else text[:57] + "..."


class _Builder:
    """Turns events into plain data, refusing what the module's docstring lists."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.lines: dict[str, int] = {}
        self.events: Any = None

    def build(self, text: str) -> Document:
        self.events = iter(yaml.parse(text, Loader=_LOADER))
        documents, data = 0, None
        for event in self.events:
            if isinstance(event, yaml.DocumentStartEvent):
                documents += 1
                if documents > 1:
                    raise self.error(event, "a second document", "keep one document in a file")
                if event.version and event.version != (1, 2):
                    raise self.error(event, "a %YAML directive other than 1.2", "remove it")
            elif isinstance(event, yaml.NodeEvent):
                data = self.value(event, "", 0)
        return Document(data, self.lines)

    def value(self, event: Any, path: str, depth: int) -> Any:
        self.refuse_references(event, path)
        if isinstance(event, yaml.ScalarEvent):
            return self.scalar(event, path)
        if depth >= MAX_DEPTH:
            raise self.error(event, f"nested deeper than {MAX_DEPTH} levels", "", path)
        if isinstance(event, yaml.SequenceStartEvent):
            return self.sequence(path, depth)
        return self.mapping(path, depth)

    def sequence(self, path: str, depth: int) -> list[Any]:
        items: list[Any] = []
        for event in self.events:
            if isinstance(event, yaml.SequenceEndEvent):
                break
            place = _join(path, str(len(items)))
            self.lines[place] = event.start_mark.line + 1
            items.append(self.value(event, place, depth + 1))
        return items

    def mapping(self, path: str, depth: int) -> dict[str, Any]:
        result: dict[str, Any] = {}
        seen: dict[str, int] = {}
        for event in self.events:
            if isinstance(event, yaml.MappingEndEvent):
                break
            key, line = self.key(event), event.start_mark.line + 1
            place = _join(path, key)
            if key in seen:
                raise self.error(event, f"said twice, first on line {seen[key]}", "remove one of the two", place)
            seen[key] = line
            self.lines[place] = line
            result[key] = self.value(next(self.events), place, depth + 1)
        return result

    def key(self, event: Any) -> str:
        self.refuse_references(event, "")
        key = self.scalar(event, "") if isinstance(event, yaml.ScalarEvent) else None
        if not isinstance(key, str):
            raise self.error(event, "a key that is not text", "keys are words; put quotes around a number")
        return key

    def refuse_references(self, event: Any, path: str) -> None:
        if isinstance(event, yaml.AliasEvent) or getattr(event, "anchor", None):
            raise self.error(event, "anchors (&) and aliases (*) are not allowed", "write the value out", path)
        if getattr(event, "tag", None):
            raise self.error(event, f"tags are not allowed: {printable(event.tag)}", "remove it", path)

    def scalar(self, event: Any, path: str) -> Any:
        text: str = event.value
        if event.style:  # quoted or a block: always text
            return text
        if text in _WORDS:
            return _WORDS[text]
        if not NUMBER.fullmatch(text):
            return text
        if _LEADING_ZERO.fullmatch(text):
            message = f"{text} has a leading zero"
            raise self.error(event, message, "drop the zero, or put quotes around text", path)
        if len(text) > MAX_NUMBER:
            raise self.error(event, f"a number of more than {MAX_NUMBER} characters", "", path)
        if _INTEGER.fullmatch(text):
            return int(text, 0)
        return float(text.replace(".", "", 1) if text.lstrip("-+.")[:1].isalpha() else text)

    def error(self, event: Any, message: str, hint: str = "", path: str = "") -> PresetError:
        where = f"{self.name}:{event.start_mark.line + 1}: "
        return PresetError(where + (f"{printable(path)}: {message}" if path else message), hint)


def _join(path: str, key: str) -> str:
    return f"{path}.{key}" if path else key


def printable(text: str) -> str:
    """Text as it is, or with escapes where it holds control characters."""
    return text if text.isprintable() else ascii(text)


def _unprintable(text: str) -> int:
    """The line of the first character that YAML forbids."""
    for number, line in enumerate(text.split("\n"), 1):
        if any(not (c.isprintable() or c in "\t\r\x85\u2028\u2029\ufeff" or c.isspace()) for c in line):
            return number
    return 1
