"""Format detection: what a file is, by its content."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any, Final

from vlmft_console.history.importers.documents.json_history import entries_of
from vlmft_console.history.importers.documents.notebook import is_notebook, open_notebook
from vlmft_console.history.importers.documents.results import Results, is_results
from vlmft_console.history.importers.documents.structured import Structure, structure_of
from vlmft_console.history.importers.documents.trainer_state import TrainerState, load_document, load_json
from vlmft_console.history.importers.entries.long_entries import fields_of
from vlmft_console.history.importers.entries.metric_names import EPOCH, STEP, stands_for, tells_training
from vlmft_console.history.importers.event_log import EventLog
from vlmft_console.history.importers.kinds import refuse_binary, resembles
from vlmft_console.history.importers.printed.envelopes import Enveloped, is_enveloped, printed_in
from vlmft_console.history.importers.printed.jsonl import JsonLines, flat, json_object
from vlmft_console.history.importers.printed.series import Series, is_mlflow, is_series, named_by
from vlmft_console.history.importers.printed.text_detect import text_format
from vlmft_console.history.importers.reader import LogReader, StreamReader
from vlmft_console.history.importers.stores.crc32c import masked
from vlmft_console.history.importers.stores.mlflow import MlflowRun, metrics_folder
from vlmft_console.history.importers.stores.tensorboard import EventFile
from vlmft_console.history.importers.stores.wandb import MAGIC as WANDB
from vlmft_console.history.importers.stores.wandb import WandbFile
from vlmft_console.history.importers.unpacked import Unpacked
from vlmft_core.durable import open_regular
from vlmft_core.errors import VlmftError

_HEAD: Final = 64 << 10
_LINES: Final = 100
"""Lines of JSON among which one with metrics is looked for."""


_SQLITE: Final = b"SQLite format 3\0"
_LFS_POINTER: Final = b"version https://git-lfs.github.com/spec/"
_HOLE: Final = re.compile(rb"\x00{16,}")
"""What a crash of the machine leaves in a text."""
_CONTROLS: Final = re.compile(rb"[\x00-\x06\x0e-\x1a\x1c-\x1f]")
"""Control characters that no program prints for people; escape, tab and the ends of lines are not among them."""

_JSON: Final = re.compile(rb"\s*(?:\{|\[\s*[{\[])")
"""How JSON begins, and dicts that were printed, too."""
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
    if is_enveloped(head) and (found := text_format(lambda: printed_in(_chunks(path)))):
        return StreamReader(path, found.format, lambda translator: Enveloped(found.parser(translator)))
    if _JSON.match(head) and not is_series(head) and (reader := _json(path, head)):
        return reader
    if head.startswith(_SQLITE) and (reader := _database(path)):
        return reader
    refuse_binary(path, head)
    text = _HOLE.sub(b"", head)
    if len(_CONTROLS.findall(text)) > len(text) // 10:
        raise VlmftError(f"{path} is a binary file of an unknown kind")
    return _text(path, head)


def _database(path: Path) -> LogReader | None:
    from vlmft_console.history.importers.stores.trackio import TrackioDatabase, is_trackio  # brings SQLite

    return TrackioDatabase(path) if is_trackio(path) else None


def _head(path: Path) -> bytes:
    try:
        os.close(open_regular(path))
    except FileNotFoundError:
        raise NothingYet(f"{path} does not exist") from None
    content = Unpacked(path)
    head = content.chunk()[:_HEAD]
    if not head and content.packed:
        raise NothingYet(f"{path} is a compressed file that was cut off, or is damaged, at its very start")
    return head


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
                return _event_log(path) if format == EventLog.format else StreamReader(path, format, JsonLines)
        fields = fields_of(values)
        if tells_training(values) or (fields and tells_training((fields.name_in(values),))):
            return StreamReader(path, _JSONL, JsonLines)
        found = found or (_JSONL if _has_place(values) else None)
    return StreamReader(path, found, JsonLines) if found else None


def _event_log(path: Path) -> LogReader:
    content = Unpacked(path)
    content.chunk()
    if content.packed:
        raise VlmftError(f"{path} is an event log of vlmft, compressed", hint="unpack it first")
    return EventLog(path)


def _has_place(values: dict[str, Any]) -> bool:
    """Whether an object tells a step or an epoch, as an entry of metrics does."""
    return any(stands_for(key, STEP, EPOCH) for key in values)


def _document(path: Path, head: bytes) -> LogReader | None:
    if b'"log_history"' in head:
        return TrainerState(path)
    try:
        document = load_json(path)
    except ValueError:
        return None
    if is_results(document):
        return Results(path, document)
    if is_notebook(document):
        return open_notebook(path, document)
    return TrainerState(path, "json_history", entries_of) if entries_of(document) else None


def _structured(path: Path, structure: Structure) -> LogReader | None:
    try:
        document, _ = load_document(path, structure.parse)
        found = entries_of(document)
    except ValueError:
        return None
    return TrainerState(path, structure.format, entries_of, structure.parse) if found else None


def _text(path: Path, head: bytes) -> LogReader:
    if is_mlflow(head) and (folder := metrics_folder(path)):
        return MlflowRun(folder)
    if is_series(head):
        return StreamReader(path, "series", partial(Series, name=named_by(path)))
    if (structure := structure_of(head)) and (reader := _structured(path, structure)):
        return reader
    if found := text_format(lambda: _chunks(path)):
        return StreamReader(path, *found)
    seems = resembles(head)
    raise NothingYet(f"{path} holds no training record that this program knows" + (f": {seems}" if seems else ""))


def _chunks(path: Path) -> Iterator[bytes]:
    file = Unpacked(path)
    while chunk := file.chunk():
        yield chunk
