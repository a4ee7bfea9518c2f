"""Fit of a plan into a GPU: whether its memory suffices, and what would make it suffice."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from vlmft_core.figures import gib
from vlmft_core.plan.activations import ALL, KEPT
from vlmft_core.plan.architecture import Architecture
from vlmft_core.plan.gpus import Gpu
from vlmft_core.plan.memory import gpu_memory, least_every
from vlmft_core.preset.schema import Model, Preset

SMALL_IMAGE = 401_408
"""Pixels of an image where memory is short: 512 tokens."""
FP16 = "this model's vision tower exceeds its largest number, 65,504"
"""Why fp16 is refused: the loss would be NaN."""


def memory_problem(preset: Preset, base: Architecture, trainable: int, gpu: Gpu) -> str:
    """Why a preset cannot be trained on a GPU, however few activations it keeps; empty where it can.

    Raises:
        ModelError: the adapter's layers cannot be told.
    """
    least = gpu_memory(preset, base, trainable, least_every(preset)).total
    if least <= gpu.memory:
        return ""
    return f"needs {gib(least)} GiB, {gpu.name} has {gib(gpu.memory)}"


def unusable(model: Model, gpu: Gpu | None) -> str:
    """Why this model cannot be trained in a number format, or on a kind of GPU; empty where it can.

    Args:
        gpu: None for a CPU.
    """
    if model.precision == "fp16":
        return f"model.precision fp16 cannot be used: {FP16}; bf16 can"
    if gpu and model.precision != "fp32" and not gpu.has_bf16:
        return f"{gpu.name} has no bf16, and fp16 cannot be used: {FP16}; GPUs from Ampere on have bf16"
    return ""


def ways_to_fit(preset: Preset, base: Architecture, trainable: int, gpu: Gpu) -> list[str]:
    """What would make a preset fit, as options of the command line, each with what it comes to: single changes that
    suffice, the smallest need last; where none does, several together, as few as do, or all that help.

    Raises:
        ModelError: the adapter's layers cannot be told.
    """
    found = _smaller(preset, base, trainable)
    if enough := [one for one in found if one[1] <= gpu.memory]:
        return [_told(settings, size) for settings, size, _ in enough]
    together: dict[str, str] = {}
    size = 0
    while found:
        settings, size, preset = next((one for one in found if one[1] <= gpu.memory), found[-1])
        together |= settings
        if size <= gpu.memory:
            return [_told(together, size)]
        found = _smaller(preset, base, trainable)
    return [f"{_told(together, size)}, still too much"] if together else []


def _told(settings: dict[str, str], size: int) -> str:
    return f"{' '.join(f'--set {key}={value}' for key, value in settings.items())}: {gib(size)} GiB"


def _smaller(preset: Preset, base: Architecture, trainable: int) -> list[tuple[dict[str, str], int, Preset]]:
    """Single changes that need less memory: what is set, the memory then, and the preset; the smallest need last."""
    before = gpu_memory(preset, base, trainable, least_every(preset)).total
    sizes = [
        (settings, gpu_memory(changed, base, trainable, least_every(changed)).total, changed)
        for settings, changed in _changes(preset)
    ]
    return sorted((one for one in sizes if one[1] < before), key=lambda one: -one[1])


def _changes(preset: Preset) -> Iterator[tuple[dict[str, str], Preset]]:
    training, hardware, model, data = preset.training, preset.hardware, preset.model, preset.data
    several = hardware.gpus > 1
    if least_every(preset) == KEPT:
        for every in (2, ALL):
            yield _with(preset, "training", gradient_checkpointing=True, recompute_every=every)
    elif least_every(preset) != ALL:
        yield _with(preset, "training", recompute_every=ALL)
    if training.micro_batch > 1:
        for size in {training.micro_batch // 2, 1}:
            if training.effective_batch % (size * hardware.gpus) == 0:
                yield _with(preset, "training", micro_batch=size)
    if data.max_pixels > SMALL_IMAGE and (data.min_pixels or 0) <= SMALL_IMAGE:
        yield _with(preset, "data", max_pixels=SMALL_IMAGE)
    if hardware.zero_stage != 3 and several and model.quantization == "none" and not preset.lora.dora:
        yield _with(preset, "hardware", zero_stage=3)
    if hardware.zero_stage == 3 and hardware.offload != "parameters":
        yield _with(preset, "hardware", offload="parameters")
    if model.quantization == "none" and hardware.zero_stage != 3:
        yield _with(preset, "model", quantization="nf4")


def _with(preset: Preset, section: str, **values: Any) -> tuple[dict[str, str], Preset]:
    """What is set, as the command line takes it, and the preset with it."""
    changed = getattr(preset, section).model_copy(update=values)
    settings = {f"{section}.{key}": "true" if value is True else str(value) for key, value in values.items()}
    return settings, preset.model_copy(update={section: changed})
