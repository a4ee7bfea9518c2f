"""Checkpoints of a run: complete or absent.

A checkpoint is complete when its `COMPLETE.json` exists; that is written last, and names every file with its size and
SHA-256 (a safetensors file whose tail was zeroed loads without an error: only the hash tells).
"""

from __future__ import annotations

import hashlib
import json
import math
import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path, PurePath
from typing import Any

from vlmft_core.durable import delete, open_regular, read_json, write_whole
from vlmft_core.errors import VlmftError
from vlmft_core.figures import counted
from vlmft_core.run_folder.layout import RunLayout, checkpoint_name

MARKER = "COMPLETE.json"
_CHECK = "sha256"
"""What the marker says of itself: a damaged figure in it would choose another checkpoint as the best."""
_RANK_STATE = "rng_state"
"""Begins the name of a file that each rank writes; transformers chose it."""
_OPTIMIZER_PART = "zero_pp_rank_"
"""Stands before the rank's number in the name of a file that each rank writes under ZeRO; DeepSpeed chose it."""


@dataclass(frozen=True)
class Checkpoint:
    """A complete checkpoint. The eval's figures are None where there was none (a run that was stopped)."""

    step: int
    eval_loss: float | None
    token_accuracy: float | None
    files: dict[str, dict[str, Any]]
    plan: dict[str, Any]
    """The plan that the run followed: a resumed one must follow the same."""

    def score(self, metric: str) -> float:
        """Higher is better; minus infinity for a checkpoint without a finite figure."""
        value = self.eval_loss if metric == "eval_loss" else self.token_accuracy
        if value is None or not math.isfinite(value):
            return -math.inf
        return -value if metric == "eval_loss" else value

    @property
    def ranks(self) -> int:
        """How many ranks wrote it: each left the state of its random numbers."""
        return sum(name.startswith(_RANK_STATE) for name in self.files)

    @property
    def bytes(self) -> int:
        return sum(entry["size"] for entry in self.files.values())


def kept_steps(found: Sequence[Checkpoint], limit: int | None, metric: str) -> set[int]:
    """The steps to keep: the best `limit` and always the newest; a figure that is not finite is never among the best
    while there is a finite one."""
    if limit is None or not found:
        return {one.step for one in found}
    return {one.step for one in best_first(found, metric)[:limit]} | {max(one.step for one in found)}


def going_steps(found: Sequence[Checkpoint], limit: int | None, metric: str) -> tuple[set[int], set[int]]:
    """Steps that make room for the next checkpoint: whatever that is like; and only if it is better than they."""
    if limit is None:
        return set(), set()
    ranked = [one.step for one in best_first(found, metric)]
    return set(ranked[limit:]), set(ranked[limit - 1 : limit])


def best_first(found: Sequence[Checkpoint], metric: str) -> list[Checkpoint]:
    """By `eval_loss` or `token_accuracy`, the newest of equals first."""
    return sorted(found, key=lambda one: (one.score(metric), one.step), reverse=True)


def seal(
    folder: Path, step: int, eval_loss: float | None, token_accuracy: float | None, plan: Mapping[str, Any]
) -> Checkpoint:
    """Write `COMPLETE.json` over everything now in `folder`; it and the files are on the disk when this returns."""
    files = {str(path.relative_to(folder)): _entry(path) for path in _files(folder)}
    checkpoint = Checkpoint(step, _finite(eval_loss), _finite(token_accuracy), files, dict(plan))
    content = {"v": 1, **asdict(checkpoint)}
    text = json.dumps({**content, _CHECK: _check(content)}, indent=1, allow_nan=False)
    write_whole(folder / MARKER, text, private=False)
    return checkpoint


def lacking(folder: Path, ranks: int) -> list[int]:
    """The ranks of several whose part of a checkpoint is not there: the state of their random numbers, and theirs of
    DeepSpeed's optimizer where that is in parts."""
    names = [path.name for path in _files(folder)]
    parts = [name for name in names if _OPTIMIZER_PART in name and "optim_states" in name]

    def whole(rank: int) -> bool:
        state = f"{_RANK_STATE}_{rank}.pth" in names
        return state and (not parts or any(f"{_OPTIMIZER_PART}{rank}_" in name for name in parts))

    return [rank for rank in range(ranks) if not whole(rank)] if ranks > 1 else []


def read(folder: Path) -> Checkpoint | None:
    """What a checkpoint's `COMPLETE.json` says; None if it is not complete, or says something that we never write."""
    content = read_json(folder / MARKER) or {}
    check = content.pop(_CHECK, None)  # missing from the checkpoints of older versions
    if check is not None and check != _check(content):
        return None
    step, files, plan = (content.get(name) for name in ("step", "files", "plan"))
    figures = [content.get(name, "") for name in ("eval_loss", "token_accuracy")]
    if type(step) is not int or step < 0 or folder.name != checkpoint_name(step) or not isinstance(plan, dict):
        return None
    if not all(figure is None or type(figure) in (int, float) for figure in figures):
        return None
    if not isinstance(files, dict) or not files or not all(_is_entry(name, entry) for name, entry in files.items()):
        return None
    return Checkpoint(step, _finite(figures[0]), _finite(figures[1]), files, plan)


def complete_ones(run: RunLayout) -> list[Checkpoint]:
    """A run's complete checkpoints, oldest first; their files are not looked at."""
    found = map(read, run.checkpoints)
    return sorted((one for one in found if one), key=lambda one: one.step)


def newest_intact(run: RunLayout) -> Checkpoint | None:
    """A run's newest complete checkpoint whose files are as they were written."""
    found = reversed(complete_ones(run))
    return next((one for one in found if intact(run.checkpoint(one.step), one)), None)


def check_ranks(checkpoint: Checkpoint, ranks: int) -> None:
    """Refuse to go on with another number of ranks: each has a part of the optimizer's state, and only the same number
    can take the parts up again.

    Raises:
        VlmftError: there were more or fewer.
    """
    if checkpoint.ranks not in (0, ranks):
        wrote = counted(checkpoint.ranks, "GPU or process", "GPUs or processes")
        raise VlmftError(
            f"{checkpoint_name(checkpoint.step)} was made on {wrote} and cannot be resumed on {ranks}",
            f"set hardware.gpus to {checkpoint.ranks} in the run's preset, or start a new run",
        )


def remove_unusable(run: RunLayout, newest: int) -> list[str]:
    """Before a resume: delete what was never completed, and what is newer than the step resumed from, or its files
    would mix with those of the steps made anew.

    Returns:
        The names of what was deleted.
    """
    known = {run.checkpoint(one.step) for one in complete_ones(run) if one.step <= newest}
    doomed = [path for path in run.checkpoints if path not in known]
    for path in doomed:
        remove(path)
    return sorted(path.name for path in doomed)


def intact(folder: Path, checkpoint: Checkpoint, *names: str) -> bool:
    """Whether every file, or those of these names, is there with the size and the hash that were written."""
    wanted = names or tuple(checkpoint.files)
    try:
        return all(name in checkpoint.files and _entry(folder / name) == checkpoint.files[name] for name in wanted)
    except (OSError, VlmftError):
        return False


def remove(folder: Path) -> None:
    """Delete a checkpoint; interrupted in the middle, what is left does not count as complete.

    Of one that is a link, to a bigger disk, say, only the link is deleted.
    """
    if not folder.is_symlink():
        delete(folder / MARKER)
    delete(folder)


def _check(content: Mapping[str, Any]) -> str:
    """SHA-256 of what the marker says beside it."""
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()


def _finite(value: float | None) -> float | None:
    return value if value is not None and abs(value) < 1e300 else None


def _is_entry(name: str, entry: object) -> bool:
    """Whether this is said of a file in the checkpoint, as `_entry` says it."""
    try:
        os.fsencode(name)
    except UnicodeEncodeError:
        return False
    path = PurePath(name)
    if "\0" in name or path.is_absolute() or ".." in path.parts or not path.parts:
        return False
    if not isinstance(entry, dict) or entry.keys() != {"size", "sha256"}:
        return False
    return type(entry["size"]) is int and 0 <= entry["size"] < 2**63 and isinstance(entry["sha256"], str)


def _files(folder: Path) -> Iterator[Path]:
    return (path for path in sorted(folder.rglob("*")) if path.is_file() and path.name != MARKER)


def _entry(path: Path) -> dict[str, Any]:
    """Size in bytes and SHA-256 of a file, which is on the disk when this returns."""
    with os.fdopen(open_regular(path), "rb") as file:
        os.fsync(file.fileno())
        return {"size": os.fstat(file.fileno()).st_size, "sha256": hashlib.file_digest(file, "sha256").hexdigest()}
