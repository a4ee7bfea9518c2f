"""Fit of a plan into a GPU: whether its memory suffices, and what would make it suffice."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from vlmft_core.plan.activations import ALL, KEPT
from vlmft_core.plan.architecture import Architecture
from vlmft_core.plan.gpus import Gpu
from vlmft_core.plan.memory import gpu_memory, least_every
from vlmft_core.preset.schema import Model, Preset

GIB = 2**30
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
    return f"needs {least / GIB:.1f} GiB, {gpu.name} has {gpu.memory / GIB:.1f}"


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
    """Single changes that need less memory, the smallest need last, as `--set` takes them, each with what it comes to.

    Raises:
        ModelError: the adapter's layers cannot be told.
    """
    found: dict[str, int] = {}
    before = gpu_memory(preset, base, trainable, least_every(preset)).total
    for setting, changed in _changes(preset):
        size = gpu_memory(changed, base, trainable, least_every(changed)).total
        if size < before:
            found[setting] = size
    ordered = sorted(found.items(), key=lambda entry: -entry[1])
    return [
        f"{setting}: {size / GIB:.1f} GiB" + ("" if size <= gpu.memory else ", still too much")
        for setting, size in ordered
    ]


def _changes(preset: Preset) -> Iterator[tuple[str, Preset]]:
    training, hardware, model, data = preset.training, preset.hardware, preset.model, preset.data
    if least_every(preset) == KEPT:
        yield from (
            (
                f"training.gradient_checkpointing=true training.recompute_every={every}",
                _with(preset, "training", gradient_checkpointing=True, recompute_every=every),
            )
            for every in (2, ALL)
        )
    elif least_every(preset) != ALL:
        yield "training.recompute_every=1", _with(preset, "training", recompute_every=ALL)
    if training.micro_batch > 1:
        for size in {training.micro_batch // 2, 1}:
            if training.effective_batch % (size * hardware.gpus) == 0:
                yield f"training.micro_batch={size}", _with(preset, "training", micro_batch=size)
    if data.max_pixels > 401_408:
        yield "data.max_pixels=401408", _with(preset, "data", max_pixels=401_408, min_pixels=None)
    if hardware.zero_stage != 3 and hardware.gpus > 1 and model.quantization == "none" and not preset.lora.dora:
        yield "hardware.zero_stage=3", _with(preset, "hardware", zero_stage=3)
    if model.quantization == "none" and hardware.zero_stage != 3:
        yield "model.quantization=nf4", _with(preset, "model", quantization="nf4")


def _with(preset: Preset, section: str, **values: Any) -> Preset:
    changed = getattr(preset, section).model_copy(update=values)
    return preset.model_copy(update={section: changed})
