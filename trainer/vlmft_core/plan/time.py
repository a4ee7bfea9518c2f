"""Training time in hours: from a measured speed, or from the published recipe's hardware table."""

from __future__ import annotations

from vlmft_core.plan.architecture import KNOWN, Architecture
from vlmft_core.plan.lora_layers import ALL_LINEAR
from vlmft_core.preset.schema import Preset

RECIPE_SAMPLES = 50_000
RECIPE_HOURS = {"8x A100": 3.0, "8x V100": 4.0, "4x A100": 5.0}
"""Hours for one epoch of 50,000 samples with the published recipe's best preset."""


def estimate_hours(
    preset: Preset, base: Architecture | None, samples: int, samples_per_s: float | None, measured_in: str
) -> tuple[tuple[float, float] | None, str]:
    """Hours of training as (fast, slow), and where the figure comes from; None where nothing is known.

    Args:
        preset: the preset, with the GPUs it will run on.
        base: the base model, if its size is known.
        samples: training samples in one epoch.
        samples_per_s: measured speed on this hardware, all GPUs together.
        measured_in: where that was measured.
    """
    passes = samples * preset.training.epochs
    if samples_per_s:
        hours = passes / samples_per_s / 3600
        return (hours, hours), f"measured: {samples_per_s:.3g} samples/s in {measured_in}"
    if preset.hardware.device == "cpu":
        return None, "unknown: the published recipe's table has no CPU"
    if base not in KNOWN.values() or base is None:
        return None, "unknown: the published recipe's table is for Qwen2.5-VL-7B"
    gpus = preset.hardware.gpus
    count = f"{gpus} GPU{'s' * (gpus != 1)}"
    fast, slow = RECIPE_HOURS["8x A100"], RECIPE_HOURS["8x V100"]
    epochs = preset.training.epochs
    scaled = [f"to {samples:,} samples x {epochs:g} " + ("epoch" if epochs == 1 else "epochs")]
    if gpus == 4:
        fast, slow = RECIPE_HOURS["4x A100"], RECIPE_HOURS["4x A100"] * slow / fast
    elif gpus != 8:
        fast, slow = fast * 8 / gpus, slow * 8 / gpus
        scaled.append(f"to {count}")
    factor = passes / RECIPE_SAMPLES
    if base != KNOWN["Qwen2.5-VL-7B"]:
        factor *= base.total_parameters / KNOWN["Qwen2.5-VL-7B"].total_parameters
        scaled.append("by parameters from the 7B")
    lora = preset.lora
    kinds = set(lora.target_modules)
    every = ALL_LINEAR in kinds or kinds >= base.text_linears().keys()
    if lora.r >= 32 and lora.target_pattern is None and every:
        factor *= 2
        scaled.append("doubled for rank 32 on all seven modules")
    table = f"an epoch of 50,000 samples: A100 {fast:.3g} h, V100 {slow:.3g} h on {count}"
    return (fast * factor, slow * factor), f"the published recipe's table ({table}), scaled {', '.join(scaled)}"
