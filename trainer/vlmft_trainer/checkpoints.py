"""Checkpoints: complete or absent, the best ones kept, and the adapter that a run leaves behind.

A checkpoint is complete when its `COMPLETE.json` exists; that is written last, and names every file with its size and
SHA-256 (a safetensors file whose tail was zeroed loads without an error: only the hash tells).
"""

from __future__ import annotations

import hashlib
import json
import math
import os
import shutil
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch

from vlmft_trainer import ranks
from vlmft_trainer.events import CHECKPOINT, NOTE
from vlmft_trainer.run_log import RunLog

MARKER = "COMPLETE.json"
WEIGHTS = "adapter_model.safetensors"


@dataclass(frozen=True)
class Checkpoint:
    """A complete checkpoint. The eval's figures are None where there was none (a run that was stopped)."""

    step: int
    eval_loss: float | None
    token_accuracy: float | None
    files: dict[str, dict[str, Any]]

    def goodness(self, metric: str) -> float:
        """Higher is better; minus infinity for a checkpoint without a finite figure."""
        value = self.eval_loss if metric == "eval_loss" else self.token_accuracy
        if value is None or not math.isfinite(value):
            return -math.inf
        return -value if metric == "eval_loss" else value

    @property
    def bytes(self) -> int:
        return sum(entry["size"] for entry in self.files.values())


class Checkpoints:
    """The checkpoints of one run folder.

    Args:
        folder: the run folder.
        limit: how many to keep; None keeps all.
        metric: `eval_loss` or `token_accuracy`.
        log: where `checkpoint` events go.
    """

    def __init__(self, folder: Path, limit: int | None, metric: str, log: RunLog) -> None:
        self.folder = folder
        self.limit = limit
        self.metric = metric
        self.log = log

    def path(self, step: int) -> Path:
        return self.folder / f"checkpoint-{step}"

    def complete(self, step: int, eval_loss: float | None, token_accuracy: float | None) -> None:
        """Seal `checkpoint-<step>` once every rank has written its part, and drop those beyond the limit.

        Every rank calls it; none returns before it is done.
        """
        ranks.barrier()
        if ranks.rank() == 0:
            sealed = seal(self.path(step), step, eval_loss, token_accuracy)
            found = {one.step: one for one in self.all()}
            keep = kept_steps(list(found.values()), self.limit, self.metric)
            removed = sorted(found.keys() - keep)
            for old in removed:
                remove(self.path(old))
            self.log.write(
                CHECKPOINT,
                step=step,
                path=str(self.path(step)),
                eval_loss=eval_loss,
                bytes=sealed.bytes,
                kept=sorted(keep),
                removed=removed,
            )
        ranks.barrier()

    def all(self) -> list[Checkpoint]:
        """The complete ones, oldest first."""
        found = (read(path) for path in self.folder.glob("checkpoint-*"))
        return sorted((one for one in found if one), key=lambda one: one.step)

    def best(self) -> Checkpoint | None:
        """The best one with a finite figure whose files are as they were written; the newest of equals."""
        ranked = sorted(self.all(), key=lambda one: (one.goodness(self.metric), one.step), reverse=True)
        usable = (one for one in ranked if one.goodness(self.metric) > -math.inf)
        return next((one for one in usable if intact(self.path(one.step), one)), None)

    def newest(self) -> Checkpoint | None:
        """The newest one whose files are as they were written."""
        return next((one for one in reversed(self.all()) if intact(self.path(one.step), one)), None)

    def has_room(self) -> bool:
        """Whether the disk has twice the newest checkpoint's size left; says so in the log if not.

        Every rank calls it, and gets the same answer.
        """
        full = False
        if ranks.rank() == 0:
            newest = max((one.bytes for one in self.all()), default=0)
            free = shutil.disk_usage(self.folder).free
            full = free < 2 * newest
            if full:
                self.log.write(
                    NOTE,
                    message=f"no checkpoint is saved: {free / 2**20:.0f} MiB are free,"
                    f" twice the last checkpoint is {2 * newest / 2**20:.0f} MiB",
                )
        return not ranks.any_rank(full)


def kept_steps(found: Sequence[Checkpoint], limit: int | None, metric: str) -> set[int]:
    """The steps to keep: the best `limit` and always the newest; a figure that is not finite is never among the best
    while there is a finite one."""
    if limit is None or not found:
        return {one.step for one in found}
    ranked = sorted(found, key=lambda one: (one.goodness(metric), one.step), reverse=True)
    newest = max(one.step for one in found)
    return {one.step for one in ranked[:limit]} | {newest}


def seal(folder: Path, step: int, eval_loss: float | None, token_accuracy: float | None) -> Checkpoint:
    """Write `COMPLETE.json` over everything now in `folder`; it and the files are on the disk when this returns."""
    files = {str(path.relative_to(folder)): _entry(path) for path in _files(folder)}
    checkpoint = Checkpoint(step, _finite(eval_loss), _finite(token_accuracy), files)
    content = json.dumps({"v": 1, **asdict(checkpoint)}, indent=1, allow_nan=False)
    write_durably(folder / MARKER, content)
    return checkpoint


def read(folder: Path) -> Checkpoint | None:
    """What a checkpoint's `COMPLETE.json` says; None if it is not complete."""
    try:
        content = json.loads((folder / MARKER).read_text("utf-8"))
        return Checkpoint(*(content[name] for name in ("step", "eval_loss", "token_accuracy", "files")))
    except (OSError, ValueError, KeyError, TypeError):
        return None


def intact(folder: Path, checkpoint: Checkpoint) -> bool:
    """Whether every file is there with the size and the hash that were written."""
    try:
        return all(_entry(folder / name) == entry for name, entry in checkpoint.files.items())
    except OSError:
        return False


def remove(folder: Path) -> None:
    """Delete a checkpoint; interrupted in the middle, what is left does not count as complete."""
    (folder / MARKER).unlink(missing_ok=True)
    shutil.rmtree(folder)


def write_durably(path: Path, content: str) -> None:
    """Write a file so that after a power cut it is either whole or absent."""
    temporary = path.with_name(f".{path.name}.tmp")
    with temporary.open("w", encoding="utf-8") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    temporary.replace(path)
    sync_folder(path.parent)


def sync_folder(folder: Path) -> None:
    """Bring a folder's list of names to the disk."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _finite(value: float | None) -> float | None:
    return value if value is not None and math.isfinite(value) else None


def _files(folder: Path) -> Iterator[Path]:
    return (path for path in sorted(folder.rglob("*")) if path.is_file() and path.name != MARKER)


def _entry(path: Path) -> dict[str, Any]:
    """Size in bytes and SHA-256 of a file, which is on the disk when this returns."""
    with path.open("rb") as file:
        os.fsync(file.fileno())
        return {"size": path.stat().st_size, "sha256": hashlib.file_digest(file, "sha256").hexdigest()}


def adapter_state(model: Any) -> dict[str, torch.Tensor]:
    """The adapter's weights on the CPU, under PEFT's file names; complete on every rank, under ZeRO-3 too.

    Every rank calls it.
    """
    import deepspeed
    from peft import get_peft_model_state_dict

    trained = {name: weight for name, weight in model.named_parameters() if weight.requires_grad}
    with deepspeed.zero.GatheredParameters(list(trained.values())):
        weights = {name: weight.detach().cpu().clone() for name, weight in trained.items()}
    state: dict[str, torch.Tensor] = get_peft_model_state_dict(model, state_dict=weights, save_embedding_layers=False)
    if not state or any(weight.numel() == 0 for weight in state.values()):
        raise RuntimeError("the adapter to save is empty")
    return state


def save_adapter(model: Any, folder: Path) -> None:
    """Write the adapter as PEFT reads it. Every rank calls it; rank 0 writes."""
    from safetensors.torch import save_file

    state = adapter_state(model)
    if ranks.rank() == 0:
        folder.mkdir(parents=True, exist_ok=True)
        save_file(state, folder / WEIGHTS, metadata={"format": "pt"})
        config = model.peft_config["default"]
        config.inference_mode = True
        config.save_pretrained(folder)
        config.inference_mode = False


def load_adapter(model: Any, folder: Path) -> None:
    """Put a saved adapter's weights into `model`, under ZeRO-3 too. Every rank calls it."""
    import deepspeed
    from peft import set_peft_model_state_dict
    from safetensors.torch import load_file

    trained = [weight for weight in model.parameters() if weight.requires_grad]
    with deepspeed.zero.GatheredParameters(trained, modifier_rank=0):
        set_peft_model_state_dict(model, load_file(folder / WEIGHTS))
