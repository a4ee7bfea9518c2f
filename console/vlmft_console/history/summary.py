"""Summary: what a long event log came to when it was read last, kept beside it, so that only the rest is to be read.

It can be rebuilt at any time, and is never believed over the log: the bytes that it was made from must stand there
still, and the programs that made it must be the ones that read it.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import closing, suppress
from dataclasses import astuple, fields
from hashlib import sha256
from pathlib import Path
from pickle import UnpicklingError
from typing import TYPE_CHECKING, Any

import orjson

from vlmft_console.history.long_log import much_is_new
from vlmft_console.history.programs import programs
from vlmft_console.history.sealed import SealedFile, write_sealed
from vlmft_console.history.stored import ColumnFile
from vlmft_console.history.trainings import Trainings
from vlmft_console.own_key import own_key
from vlmft_core.errors import VlmftError
from vlmft_core.health.thresholds import Settings, Thresholds
from vlmft_core.run_folder.tail import Mark, RunTail, Tail

if TYPE_CHECKING:
    from vlmft_console.history.opened import OpenedLog
    from vlmft_console.history.state import RunState

_IN_CACHE = 16
"""Summaries kept in the user's cache, the latest."""


def take_up(log: OpenedLog, columns: ColumnFile | None = None) -> tuple[RunState, Trainings] | None:
    """What a log came to when its summary was made; its reader then goes on from there.

    Args:
        log: the log.
        columns: where the long columns of the state are put; a file of its own, if None.

    Returns:
        None where there is no summary of this very log by programs like these, or none that this user wrote.
    """
    reader = log.reader
    if not isinstance(reader, Tail | RunTail):
        return None
    for place in _places(log):
        with suppress(OSError, ValueError, KeyError, TypeError, VlmftError, UnpicklingError):
            with closing(SealedFile(place)) as file:
                note, settings = orjson.loads(file.note), log.monitor or Thresholds()
                if (note["programs"], note["settings"]) != (programs(), _told(settings)):
                    continue
                marks = [Mark(*mark) for mark in note["marks"]]
                taken: tuple[RunState, Trainings] = file.value(own_key(), settings, columns or ColumnFile())
            if reader.go_to(marks) if isinstance(reader, RunTail) else reader.go_to(marks[0]):
                return taken
    return None


def keep(log: OpenedLog, state: RunState, trainings: Trainings, before: int) -> None:
    """Keep what a log, read to its present end, comes to, where so much of it is new that it is worth it.

    Args:
        log: the log.
        state: what it comes to.
        trainings: those in it.
        before: bytes of it that the summary it was read with stood for.
    """
    reader = log.reader
    if not isinstance(reader, Tail | RunTail):
        return
    marks = _marks(reader)
    if not much_is_new(sum(mark.offset for mark in marks), before, over=state.end is not None):
        return
    state.prepare()
    settings = state.health.settings
    for place in _places(log):
        with suppress(OSError):  # closed to us, or full: then the next place, or none
            note = {"programs": programs(), "settings": _told(settings), "marks": list(map(astuple, marks))}
            if place.parent == _cache():
                _make_room()
            write_sealed(place, own_key(), orjson.dumps(note), (state, trainings), settings)
            return


def read_so_far(log: OpenedLog) -> int:
    """Bytes of our own event log that its reader is past."""
    return sum(mark.offset for mark in _marks(log.reader)) if isinstance(log.reader, Tail | RunTail) else 0


def _marks(reader: Tail | RunTail) -> list[Mark]:
    return reader.marks if isinstance(reader, RunTail) else [reader.mark]


def _places(log: OpenedLog) -> Iterator[Path]:
    """Where its summary may be: in the folder of a run; else, or where that cannot be written, in the user's cache."""
    if log.folder is not None:
        yield log.folder.summary
    yield _cache() / sha256(os.fsencode(log.path.resolve())).hexdigest()[:32]


def _cache() -> Path:
    import platformdirs

    return Path(platformdirs.user_cache_dir("vlmft")) / "summaries"


def _make_room() -> None:
    """The folder in the cache, and of what is in it only the latest."""
    _cache().mkdir(parents=True, exist_ok=True, mode=0o700)
    ages = sorted((entry.stat().st_mtime_ns, entry.path) for entry in os.scandir(_cache()))
    for _, path in ages[: 1 - _IN_CACHE]:
        Path(path).unlink(missing_ok=True)


def _told(settings: Settings) -> dict[str, Any]:
    """What the health rules go by, as JSON has it."""
    told: dict[str, Any] = orjson.loads(
        orjson.dumps({field.name: getattr(settings, field.name) for field in fields(Thresholds)})
    )
    return told
