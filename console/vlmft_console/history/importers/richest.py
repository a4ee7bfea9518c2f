"""Richest log: of a folder with logs of other programs, the one that tells most."""

from __future__ import annotations

import os
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import Final

from vlmft_console.history.importers.detect import NothingYet, open_file
from vlmft_console.history.importers.reader import LogReader, label_of
from vlmft_core.errors import VlmftError
from vlmft_core.run_folder import events

_DEPTH: Final = 6
_FILES: Final = 500
"""Files that are looked at, the shallow ones first."""
_COUNTED: Final = 64 << 20
"""Bytes of a log whose points are counted; a larger one counts as richer than all that were."""
_NEVER: Final = frozenset((".safetensors", ".bin", ".pt", ".pth", ".png", ".jpg", ".parquet", ".arrow", ".py"))


def open_richest(folder: Path) -> LogReader:
    """The log with most training points and evals; of several, the one that lies shallowest and comes first by name.

    Raises:
        NothingYet: there is no training log in the folder.
    """
    best: tuple[int, Path] | None = None
    paths, seen = list(islice(_files(folder), _FILES + 1)), set[Path]()
    for path in paths[:_FILES]:
        points = _points(path, seen)
        if points is not None and (best is None or points > best[0]):
            best = points, path
    if best is None:
        among = f" among its first {_FILES} files" if len(paths) > _FILES else ""
        raise NothingYet(f"{folder} holds no training log that this program knows{among}")
    reader = open_file(best[1])
    reader.label = label_of(reader.path, folder)
    return reader


def _files(folder: Path) -> Iterator[Path]:
    level = [folder]
    for _ in range(_DEPTH):
        deeper: list[Path] = []
        for place in level:
            try:
                entries = sorted(os.scandir(place), key=lambda entry: entry.name)
            except OSError:
                continue
            for entry in entries:
                if entry.is_dir(follow_symlinks=False):
                    deeper.append(Path(entry.path))
                elif entry.is_file(follow_symlinks=False) and Path(entry.name).suffix not in _NEVER:
                    yield Path(entry.path)
        level = deeper


def _points(path: Path, seen: set[Path]) -> int | None:
    """Training points and evals of a log; None when it is none, or one of those seen: MLflow's has several files."""
    try:
        reader = open_file(path)
        if reader.path in seen:
            return None
        seen.add(reader.path)
        size = path.stat().st_size
        if size > _COUNTED:
            return size
        points = 0
        while records := reader.read():
            points += sum(record["event"] in (events.STEP, events.EVAL) for record in records)
        return points
    except (VlmftError, OSError):
        return None
