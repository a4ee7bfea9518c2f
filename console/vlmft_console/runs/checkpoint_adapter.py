"""Checkpoint's adapter: made the run's own, or copied elsewhere. Files are copied as they are; nothing is loaded."""

from __future__ import annotations

import json
import os
import shutil
import time
from collections.abc import Iterator
from functools import lru_cache
from hashlib import file_digest
from pathlib import Path
from typing import Any, Final

import orjson

from vlmft_console.errors import RunBusyError, RunFolderError
from vlmft_console.paths import preset_folders
from vlmft_console.runs.folder import RunFolder
from vlmft_console.runs.status import ELSEWHERE, status_of
from vlmft_core.cards.card import adapter_card, read_course
from vlmft_core.durable import add_lines, delete, open_regular, sync_files, sync_folder
from vlmft_core.errors import VlmftError
from vlmft_core.plan.base_folder import resolve_base
from vlmft_core.plan.weight_file import read_shapes
from vlmft_core.preset import load_preset
from vlmft_core.run_folder.checkpoints import Checkpoint, complete_ones, intact, read
from vlmft_core.run_folder.events import EVAL
from vlmft_core.run_folder.layout import ADAPTER_CONFIG, ADAPTER_WEIGHTS, MODEL_CARD, RunLayout
from vlmft_core.run_folder.segments import base_scores, records

_FILES: Final = (ADAPTER_WEIGHTS, ADAPTER_CONFIG)
_MOST_BYTES: Final = 1 << 20
"""Of the record of what was made the run's adapter; a line takes 200."""


def checkpoint_at(run: RunLayout, step: int) -> Checkpoint:
    """A complete checkpoint of a run whose adapter's files are as they were written.

    Raises:
        RunFolderError: there is none of that step, it is not complete, or its adapter was changed since.
    """
    folder = run.checkpoint(step)
    found = read(folder)
    if found is None:
        there = ", ".join(f"{one.step}" for one in complete_ones(run))
        why = "is not complete" if folder.is_dir() else "is not there"
        hint = f"complete ones are of step {there}" if there else "it has no complete one"
        raise RunFolderError(f"{folder.name} of {run.name} {why}", hint)
    if not intact(folder, found, *_FILES):
        raise RunFolderError(f"{folder}: the adapter's files are not what was written: damaged, or changed since")
    return found


def adapter_step(run: RunLayout) -> int | None:
    """The step of the checkpoint whose weights the run's adapter has; None where it has none, or those of none that is
    there."""
    try:
        status = (run.adapter / ADAPTER_WEIGHTS).stat()
        mine = _digest(run.adapter / ADAPTER_WEIGHTS, status.st_ino, status.st_size, status.st_mtime_ns)
    except (OSError, VlmftError):
        return None
    same = (one.step for one in complete_ones(run) if one.files.get(ADAPTER_WEIGHTS, {}).get("sha256") == mine)
    return max(same, default=None)


@lru_cache(maxsize=64)
def _digest(file: Path, *unchanged: int) -> str:
    """SHA-256 of a file. `unchanged` tells one content from another in the cache: inode, size and time."""
    with os.fdopen(open_regular(file), "rb") as opened:
        return file_digest(opened, "sha256").hexdigest()


def check_replaceable(run: RunFolder) -> None:
    """Refuse to change the adapter of a run that will write its own.

    Raises:
        RunBusyError: it is live.
    """
    state = status_of(run)
    if state.state == ELSEWHERE:
        raise RunBusyError(f"{run.name} is not run from here: {state.reason}", "copy this one elsewhere with -o")
    if state.live:
        raise RunBusyError(
            f"{run.name} is {state.state}: at its end it writes its adapter itself", "copy this one elsewhere with -o"
        )


def take_adapter(run: RunFolder, step: int, by: str, target: Path | None = None) -> Path:
    """Make a checkpoint's adapter the run's own, in place of the one that is there, and write that down; or copy it.

    The folder is there whole or not at all. Its model card is that checkpoint's.

    Args:
        run: whose checkpoint.
        step: which.
        by: who wants it, for the record.
        target: the folder to make instead, which must not exist.

    Returns:
        The adapter's folder.

    Raises:
        VlmftError: as `checkpoint_at` and `check_replaceable`; the target, or its draft, exists, or cannot be written.
    """
    chosen = checkpoint_at(run, step)
    if target is None:
        check_replaceable(run)
    elif target.exists() or target.is_symlink():
        raise RunFolderError(f"{target} exists already", "choose another folder with -o")
    place = target or run.adapter
    draft = place.with_name(f".{place.name}.tmp")
    if target is not None and draft.exists():
        raise RunFolderError(f"{draft} is in the way", "delete it, or choose another folder with -o")
    before = adapter_step(run)
    try:
        place.parent.mkdir(parents=True, exist_ok=True)
        delete(draft)
        draft.mkdir()
        for name in _FILES:
            _copy(run.checkpoint(step) / name, draft / name)
        (draft / MODEL_CARD).write_text(_card(run, chosen), "utf-8")
        sync_files(draft)
        if target is None:
            _record(run, {"step": step, "before": before, "by": by, "sha256": chosen.files[ADAPTER_WEIGHTS]["sha256"]})
            delete(place)
        draft.replace(place)
        sync_folder(place.parent)
    except OSError as error:
        raise RunFolderError(f"{place} cannot be written: {error.strerror or error}") from None
    finally:
        shutil.rmtree(draft, ignore_errors=True)
    return place


def chosen_by_hand(run: RunLayout) -> list[dict[str, Any]]:
    """When which checkpoint's adapter was made the run's: `t` (Unix seconds), `step`, `before` (the step of the one it
    took the place of, or null), `by`, `sha256`. Lines that say something else are passed over."""
    try:
        with os.fdopen(open_regular(run.adapters_file), "rb") as file:
            lines = file.read(_MOST_BYTES).split(b"\n")
    except (OSError, VlmftError):
        return []
    return list(_known(lines))


def _known(lines: list[bytes]) -> Iterator[dict[str, Any]]:
    for line in lines:
        try:
            value = orjson.loads(line)
        except ValueError:
            continue
        if isinstance(value, dict) and type(value.get("step")) is int and _is_time(value.get("t")):
            yield value


def _is_time(value: Any) -> bool:
    """Whether it is a time that a calendar knows, in Unix seconds."""
    return isinstance(value, int | float) and 0 <= value < 2**35


def _record(run: RunLayout, said: dict[str, Any]) -> None:
    add_lines(run.adapters_file, json.dumps({"t": time.time(), **said}) + "\n")


def _copy(source: Path, target: Path) -> None:
    with os.fdopen(open_regular(source), "rb") as read_from, target.open("xb") as written:
        shutil.copyfileobj(read_from, written, 1 << 20)


def _card(run: RunLayout, chosen: Checkpoint) -> str:
    preset = load_preset(run.preset_file, preset_folders()).preset
    course = read_course(run)
    last = max(course.losses, default=chosen.step)
    scores = (base_scores(run), _scores_at(run, chosen.step))
    shapes = read_shapes(run.checkpoint(chosen.step) / ADAPTER_WEIGHTS)
    return adapter_card(preset, resolve_base(preset.model.base), chosen, last, scores, course, shapes)


def _scores_at(run: RunLayout, step: int) -> dict[str, Any]:
    """What the adapter of a step answered, by task; the last time it was asked."""
    evals = [record for record in records(run.segments) if record["event"] == EVAL and record["step"] == step]
    return next((dict(record["tasks"]) for record in reversed(evals) if isinstance(record.get("tasks"), dict)), {})
