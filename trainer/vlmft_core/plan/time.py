"""Training time in hours: measured by earlier runs, or counted operations by what a GPU can do."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from vlmft_core.figures import figure, short
from vlmft_core.plan.architecture import KNOWN, Architecture
from vlmft_core.plan.fit import unusable
from vlmft_core.plan.gpus import Gpu
from vlmft_core.plan.lora_layers import ALL_LINEAR
from vlmft_core.plan.sample_count import SPLIT_SIZES
from vlmft_core.plan.step_work import sample_flops, shape_of_samples
from vlmft_core.preset.schema import Preset

MFU: Final = (0.25, 0.45)
"""Share of a GPU's peak that a training reaches: a range that well kept trainings lie in. Not measured here."""
RECIPE_SAMPLES: Final = 50_000
RECIPE_HOURS: Final = {8: 3.0, 4: 5.0}
"""Hours for one epoch of 50,000 samples on so many A100, as the published recipe's table has them for its `best`."""


@dataclass(frozen=True)
class Duration:
    """How long a training takes, without its start, evals and answers."""

    hours: tuple[float, float] | None
    """Fast and slow; None where that is not known."""
    source: str
    """Where it comes from: a formula with its figures, a run, or why it is not known."""
    sample_flops: float | None = None
    """Operations for one sample, recomputed ones included."""


def estimate_hours(
    preset: Preset,
    base: Architecture | None,
    samples: int,
    *,
    gpu: Gpu | None,
    every: int,
    samples_per_s: float | None = None,
    measured_in: str = "earlier runs",
) -> Duration:
    """Hours of training.

    hours = samples x epochs x operations a sample / (GPUs x peak x MFU), with an MFU of 25 to 45 %.

    Args:
        preset: the preset, with the GPUs it will run on.
        base: the base model, if its size is known.
        samples: training samples in one epoch.
        gpu: what it runs on; None where that is not known.
        every: which layers are recomputed.
        samples_per_s: measured speed on this hardware, all GPUs together.
        measured_in: where that was measured.
    """
    epochs = preset.training.epochs
    flops = sample_flops(preset, base, every) if base else None
    if samples_per_s:
        hours = samples * epochs / samples_per_s / 3600
        return Duration((hours, hours), f"measured: {figure(samples_per_s)} samples/s in {measured_in}", flops)
    if unknown := _unknown(preset, base, gpu):
        return Duration(None, f"unknown: {unknown}", flops)
    assert flops is not None
    assert gpu is not None
    assert gpu.peak is not None
    gpus, (low, high) = preset.hardware.gpus, MFU
    fast, slow = (samples * epochs * flops / (gpus * gpu.peak * mfu) / 3600 for mfu in (high, low))
    source = (
        f"{samples:,} samples x {epochs:g} {'epoch' if epochs == 1 else 'epochs'} x {flops / 1e12:.1f} TFLOP"
        f" / ({gpus} x {gpu.peak / 1e12:g} TFLOP/s x {100 * low:.0f}-{100 * high:.0f} % MFU);"
        f" peak of {gpu.name}: {gpu.source}; {shape_of_samples(preset)}; evals and answers not counted"
    )
    return Duration((fast, slow), source, flops)


def _unknown(preset: Preset, base: Architecture | None, gpu: Gpu | None) -> str:
    """Why operations make no hours; empty where they do."""
    if preset.hardware.device == "cpu":
        return "no run on this CPU has measured it yet"
    if base is None:
        return "so is the model's size"
    if gpu is None:
        return "so is the GPU: name one with --gpu"
    if preset.model.precision == "fp32":
        return "no peak is known for fp32"
    if unusable(preset.model, gpu):
        return f"{gpu.name} cannot be used"
    return f"so is the peak of {gpu.name}" if gpu.peak is None else ""


def recipe_hours(preset: Preset, base: Architecture | None, samples: int) -> str:
    """What the published recipe's table has for a training, as a sentence; empty where it has nothing, as for
    other data than its own."""
    if any(source.path not in SPLIT_SIZES for source in preset.data.sources):
        return ""
    gpus, lora = preset.hardware.gpus, preset.lora
    if base is None or base != KNOWN["Qwen2.5-VL-7B"] or gpus not in RECIPE_HOURS or preset.hardware.device == "cpu":
        return ""
    hours = RECIPE_HOURS[gpus] * samples * preset.training.epochs / RECIPE_SAMPLES
    kinds = set(lora.target_modules)
    every = ALL_LINEAR in kinds or kinds >= base.text_linears().keys()
    twice = lora.r >= 32 and lora.target_pattern is None and every
    told = short((2 if twice else 1) * hours)
    return (
        f"the published recipe's table has {told} h on {gpus} A100 for so many samples and epochs"
        f"{', twice its hours for rank 32 on all seven modules' if twice else ''}"
    )
