"""Weights of a job: the base, with or without an adapter, on its device and ready to answer."""

from __future__ import annotations

from functools import partial
from typing import Any

import torch

from vlmft_core.errors import VlmftError
from vlmft_core.jobs import Weights
from vlmft_core.plan.base_files import check_base
from vlmft_core.plan.base_folder import resolve_base
from vlmft_trainer.data.encode import Encoder
from vlmft_trainer.distributed import ranks
from vlmft_trainer.model.adapter import lay_over
from vlmft_trainer.model.load import choose_kernels, load_base, load_encoder
from vlmft_trainer.programs import Say


def load_weights(weights: Weights, say: Say) -> tuple[Any, Encoder]:
    """The model on its device, ready to answer, and its `Encoder`. Every rank calls it.

    Raises:
        VlmftError: there is no GPU, or base or adapter cannot be loaded.
    """
    preset = weights.preset
    if preset.hardware.device == "cuda" and not torch.cuda.is_available():
        raise VlmftError("hardware.device is cuda, and this machine has no GPU", "add --set hardware.device=cpu")
    check_base(preset.model.base)
    base = resolve_base(preset.model.base)
    kernels = choose_kernels(preset.model)
    note = partial(say, "note")
    for text in kernels.notes:
        note(text)
    note(f"loading {preset.model.base}")
    encoder = ranks.host_first(lambda: load_encoder(base, preset.data.max_pixels, preset.data.min_pixels))
    quantization = preset.model.quantization
    model = ranks.together(lambda: lay_over(load_base(base, kernels, quantization, note), weights.adapter, note))
    return (model if quantization != "none" else model.to(ranks.device())).eval(), encoder
