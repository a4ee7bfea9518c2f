"""Run plan: how many steps of what a run will make on its data, and whether a checkpoint was made under it."""

from __future__ import annotations

from typing import Any

from vlmft_core.errors import VlmftError
from vlmft_core.plan import optimizer_steps, warmup_steps
from vlmft_core.preset import Preset
from vlmft_core.run_folder.checkpoints import Checkpoint
from vlmft_core.run_folder.layout import checkpoint_name
from vlmft_trainer.data.run_data import RunData

PLANNED = ("total_steps", "steps_per_epoch", "warmup_steps", "scheduler", "peak_lr", "effective_batch")
"""What a resumed run must have in common with the checkpoint's, or its learning rate would jump."""

DATA = {"train_data": "training", "eval_data": "eval"}
"""The plan's fingerprints of the data, and whose they are; they are kept with each checkpoint, too."""


def steps_plan(preset: Preset, data: RunData) -> dict[str, Any]:
    """What is going to happen, as the `plan` event says it."""
    per_epoch, total = optimizer_steps(len(data.train), preset.training.effective_batch, preset.training.epochs)
    return {
        "total_steps": total,
        "steps_per_epoch": per_epoch,
        "warmup_steps": warmup_steps(total, preset.training.warmup_ratio),
        "epochs": preset.training.epochs,
        "scheduler": preset.training.scheduler,
        "peak_lr": preset.training.learning_rate,
        "effective_batch": preset.training.effective_batch,
        "train_samples": len(data.train),
        "eval_samples": len(data.eval),
        "train_data": data.train.fingerprint,
        "eval_data": data.eval.fingerprint,
        "eval_steps": preset.evaluation.eval_steps,
    }


def check_same_plan(plan: dict[str, Any], start: Checkpoint) -> None:
    """Refuse to resume under another plan.

    Raises:
        VlmftError: something differs; the message names it.
    """
    differing = [
        f"{name} {start.plan.get(name)} -> {plan[name]}" for name in PLANNED if start.plan.get(name) != plan[name]
    ]
    if differing:
        raise VlmftError(
            f"{checkpoint_name(start.step)} was made under another plan: {', '.join(differing)}",
            "resume with the preset and the data of its start, or start a new run",
        )


def compare_data(plan: dict[str, Any], start: Checkpoint, *, data_changed: bool) -> list[str]:
    """Refuse to resume on other data, unless that is wanted.

    Returns:
        What there is to say about it.

    Raises:
        VlmftError: the data is not the checkpoint's, and `data_changed` is false.
    """
    name = checkpoint_name(start.step)
    if not DATA.keys() <= start.plan.keys():
        return [f"{name} does not say what data it was trained on: whether that is still the same is not known"]
    changed = " and ".join(whose for key, whose in DATA.items() if start.plan[key] != plan[key])
    if not changed:
        return []
    if not data_changed:
        raise VlmftError(
            f"{name} was made with other data: rows, or names or sizes of images, of the {changed} samples differ",
            "put back what it began with, or go on with what there is now: vlmft resume --data-changed",
        )
    return [f"the {changed} samples are not those of {name}: going on with them was asked for"]
