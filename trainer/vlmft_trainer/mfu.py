"""How much of the GPUs' peak a training gets out of them."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import torch

from vlmft_trainer import ranks
from vlmft_trainer.architecture import Architecture
from vlmft_trainer.flops import Work, peak_flops, training_flops
from vlmft_trainer.preset.schema import Lora


def find_mfu(base: Architecture | None, lora: Lora, precision: str) -> Callable[[Work, float], float] | None:
    """What turns work and seconds into the share of all ranks' peak, 0 to 1.

    Returns:
        None on a CPU, in fp32, and where the GPU's or the model's figures are not known.
    """
    if base is None or precision == "fp32" or not torch.cuda.is_available():
        return None
    peak = peak_flops(torch.cuda.get_device_name())
    return None if peak is None else partial(mfu, base, lora, peak * ranks.world_size())


def mfu(base: Architecture, lora: Lora, peak: float, work: Work, seconds: float) -> float:
    """Operations that were needed, by those that could have been done in the time.

    Args:
        peak: operations a second of all ranks together.
        work: what was computed on all ranks.
        seconds: wall time.
    """
    return training_flops(base, lora, work) / (seconds * peak)
