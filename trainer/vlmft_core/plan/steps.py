"""Optimizer steps of a training, and its preset on another number of GPUs."""

from __future__ import annotations

import math

from vlmft_core.errors import PresetError
from vlmft_core.figures import counted
from vlmft_core.preset.schema import Preset


def optimizer_steps(samples: int, effective_batch: int, epochs: float) -> tuple[int, int]:
    """Optimizer steps for each epoch and in all, as the training loop counts them (a last partial batch counts).

    Raises:
        ValueError: if there are no samples.
    """
    if samples < 1:
        raise ValueError("no training samples")
    per_epoch = math.ceil(samples / effective_batch)
    return per_epoch, math.ceil(per_epoch * epochs)


def warmup_steps(total_steps: int, warmup_ratio: float) -> int:
    """Warm-up steps as transformers counts them: the share of all steps, rounded up."""
    return math.ceil(total_steps * warmup_ratio)


def with_gpus(preset: Preset, gpus: int) -> tuple[Preset, str]:
    """The preset on another number of GPUs with the same effective batch, and a sentence saying what changed.

    Accumulation makes up for the GPUs. Where that does not come out even, the micro-batch is lowered to the largest
    size that does.

    Raises:
        PresetError: the effective batch cannot be shared evenly by `gpus`.
    """
    training, batch = preset.training, preset.training.effective_batch
    if gpus < 1:
        raise PresetError(f"hardware.gpus: must be at least 1, not {gpus}")
    if batch % gpus:
        lower, upper = batch // gpus * gpus, (batch // gpus + 1) * gpus
        near = f"{lower} or {upper}" if lower else f"{upper}"
        raise PresetError(
            f"training.effective_batch {batch} cannot be shared evenly by {gpus} GPUs",
            f"take a number of GPUs that divides it, or set training.effective_batch to {near}",
        )
    if gpus == preset.hardware.gpus:
        return preset, ""
    share = batch // gpus
    micro = max(size for size in range(1, training.micro_batch + 1) if share % size == 0)
    data = preset.model_dump()
    data["hardware"]["gpus"] = gpus
    data["training"]["micro_batch"] = micro
    fitted = Preset.model_validate(data)
    note = (
        f"{counted(gpus, 'GPU')} instead of {preset.hardware.gpus}: the effective batch stays {batch}, "
        f"accumulation goes from {preset.accumulation} to {fitted.accumulation}"
    )
    if micro != training.micro_batch:
        note += f", the micro-batch from {training.micro_batch} to {micro}"
    return fitted, note
