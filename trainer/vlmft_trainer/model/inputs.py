"""Inputs: a batch as `collate` or `pack` makes it, on the device and as the model's forward takes it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch

from vlmft_trainer.data.patches import normalised


def on_device(batch: Mapping[str, Any], device: torch.device) -> dict[str, Any]:
    """A batch with its tensors on `device`. From pinned memory they are copied beside what the GPU is doing.

    What is only looked up value by value stays behind, for on a GPU that would mean waiting for it: the labels, and the
    images' grid where the tower does not compute with it.
    """
    behind = {"labels", "image_grid_thw"} if "image_window_index" in batch else {"labels"}
    return {
        name: value.to(device, non_blocking=True) if isinstance(value, torch.Tensor) and name not in behind else value
        for name, value in batch.items()
    }


def model_inputs(model: Any, batch: Mapping[str, Any]) -> dict[str, Any]:
    """What the model's forward takes of a batch: its images normalised in the tower's own precision, no labels.

    Args:
        model: Qwen2.5-VL, bare or wrapped by PEFT or DeepSpeed.
        batch: on the model's device.
    """
    inputs = {name: value for name, value in batch.items() if name != "labels"}
    # transformers' `dtype` is that of the first weights, and those are the tower's; DeepSpeed's engine hides it.
    dtype = getattr(model, "module", model).dtype
    return inputs | {"pixel_values": normalised(batch["pixel_values"], dtype)}
