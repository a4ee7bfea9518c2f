"""Format detection: what a file is, by its content."""

from __future__ import annotations

import os
import re
from functools import partial
from pathlib import Path
from typing import Any, Final

from vlmft_console.history.importers.console_text import ConsoleText
from vlmft_console.history.importers.crc32c import masked
from vlmft_console.history.importers.event_log import EventLog
from vlmft_console.history.importers.jsonl import JsonLines, flat, json_object
from vlmft_console.history.importers.metric_names import EPOCH, STEP, known, tells_training
from vlmft_console.history.importers.reader import LogReader, StreamReader
from vlmft_console.history.importers.results import Results, is_results
from vlmft_console.history.importers.tensorboard import EventFile
from vlmft_console.history.importers.trainer_state import TrainerState, load_json
from vlmft_console.history.importers.translate import Translator
from vlmft_console.history.importers.wandb import MAGIC as WANDB
from vlmft_console.history.importers.wandb import WandbFile
from vlmft_core.durable import open_regular
from vlmft_core.errors import VlmftError
from vlmft_core.run_folder.growing import GrowingFile, read_at

_HEAD: Final = 64 << 10
_LINES: Final = 100
"""Lines of JSON among which one with metrics is looked for."""
_SEARCHED: Final = 256 << 20
"""Bytes of a text in which the first training record is looked for."""
_WEIGHED: Final = 8 << 20
"""Bytes after DeepSpeed's first step in which a dict of another trainer, printed late, may come."""

_LFS_POINTER: Final = b"version https://git-lfs.github.com/spec/"
_UTF16: Final = (b"\xff\xfe", b"\xfe\xff")
_HOLE: Final = re.compile(rb"\x00{16,}")
"""What a crash of the machine leaves in a text."""
_CONTROLS: Final = re.compile(rb"[\x00-\x06\x0e-\x1a\x1c-\x1f]")
"""Control characters that no program prints for people; escape, tab and the ends of lines are not among them."""

_JSON_LINES: Final = (
    ("vlmft", {"v", "seq", "event"}),
    ("llamafactory", {"current_steps"}),
    ("msswift", {"train_speed(iter/s)"}),
    ("msswift", {"train_speed(s/it)"}),
    ("msswift", {"global_step/max_steps"}),
)
"""Keys that tell JSON Lines of a program apart, the surest first."""
_JSONL: Final = "jsonl"
"""JSON Lines of any other program."""


class NothingYet(VlmftError):
    """There is no training record, but one may come: the file is missing, empty, or holds other output so far."""


def open_file(path: Path) -> LogReader:
    """A reader of one file.

    Raises:
        NothingYet: it holds no training record.
        VlmftError: it is no training log that can be read; the message says why.
    """
    head = _head(path)
    if not head:
        raise NothingYet(f"{path} is empty")
    if head.startswith(_LFS_POINTER):
        raise VlmftError(f"{path} is a git-LFS pointer, not the file itself", hint="fetch it with `git lfs pull`")
    if head.startswith(WANDB):
        return StreamReader(path, "wandb", WandbFile)
    if _is_event_file(head):
        return StreamReader(path, "tensorboard", EventFile)
    if head.lstrip(b"\xef\xbb\xbf \t\r\n").startswith(b"{") and (reader := _json(path, head)):
        return reader
    if head.startswith(_UTF16):
        raise VlmftError(f"{path} is UTF-16 text", hint="convert it with `iconv -f UTF-16 -t UTF-8`")
    text = _HOLE.sub(b"", head)
    if len(_CONTROLS.findall(text)) > len(text) // 10:
        raise VlmftError(f"{path} is a binary file of an unknown kind")
    return _text(path)


def _head(path: Path) -> bytes:
    try:
        descriptor = open_regular(path)
    except FileNotFoundError:
        raise NothingYet(f"{path} does not exist") from None
    try:
        return read_at(path, descriptor, _HEAD, 0)
    finally:
        os.close(descriptor)


def _is_event_file(head: bytes) -> bool:
    return len(head) >= 12 and int.from_bytes(head[8:12], "little") == masked(head[:8])


def _json(path: Path, head: bytes) -> LogReader | None:
    """The reader of a JSON document or of JSON Lines; None when it is neither, such as dicts that were printed."""
    lines = [line for line in head.split(b"\n")[:_LINES] if line.strip()]
    try:
        json_object(lines[0])
    except ValueError:
        return _document(path, head)
    if len(lines) == 1 and (reader := _document(path, head)):
        return reader
    found = None
    for line in lines:
        try:
            values = flat(json_object(line))
        except ValueError:
            continue
        for format, keys in _JSON_LINES:
            if keys <= values.keys():
                return EventLog(path) if format == EventLog.format else StreamReader(path, format, JsonLines)
        if tells_training(values):
            return StreamReader(path, _JSONL, JsonLines)
        found = found or (_JSONL if _has_place(values) else None)
    return StreamReader(path, found, JsonLines) if found else None


def _has_place(values: dict[str, Any]) -> bool:
    """Whether an object tells a step or an epoch, as an entry of metrics does."""
    return any((name := known(key)) is not None and name.quantity in (STEP, EPOCH) for key in values)


def _document(path: Path, head: bytes) -> LogReader | None:
    if b'"log_history"' in head:
        return TrainerState(path)
    if len(head) == _HEAD:
        return None
    try:
        document, _ = load_json(path)
    except ValueError:
        return None
    return Results(path, document) if is_results(document) else None


def _text(path: Path) -> LogReader:
    """Look for the first training record."""
    parser = ConsoleText(Translator(""), deepspeed_steps=True)
    file = GrowingFile(path)
    searched = first_step = 0
    while searched < _SEARCHED and (chunk := file.chunk()):
        searched += len(chunk)
        parser.feed(chunk)
        if parser.dicts:
            return StreamReader(path, "hf_stdout", partial(ConsoleText, deepspeed_steps=False))
        if parser.entries:
            first_step = first_step or searched
            if searched - first_step >= _WEIGHED:
                break
    if parser.entries or parser.overflows:
        return StreamReader(path, "deepspeed", partial(ConsoleText, deepspeed_steps=True))
    raise NothingYet(f"{path} holds no training record that this program knows")
