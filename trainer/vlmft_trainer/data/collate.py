"""Several encoded samples as one padded batch for Qwen2.5-VL."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import torch

from vlmft_trainer.data.encode import IGNORED, Encoded


def collate(
    samples: Sequence[Encoded], *, pad_id: int, image_id: int, side: Literal["left", "right"] = "right"
) -> dict[str, torch.Tensor]:
    """Pad to the longest sample.

    `mm_token_type_ids` (0 text, 1 image) is always there: without it the model's forward silently falls back to
    one-dimensional positions.

    Args:
        samples: at least one.
        pad_id: token id written into the padding.
        image_id: token id of an image placeholder.
        side: right for training, left for generation.

    Returns:
        `input_ids`, `attention_mask`, `labels`, `mm_token_type_ids`: int64 `[batch, longest]`; and, when any sample
        has an image, `pixel_values` (float32 `[patches, features]`) and `image_grid_thw` (int64 `[images, 3]`).
    """
    longest = max(sample.length for sample in samples)
    input_ids = torch.full((len(samples), longest), pad_id)
    labels = torch.full_like(input_ids, IGNORED)
    attention_mask = torch.zeros_like(input_ids)
    for row, sample in enumerate(samples):
        first = longest - sample.length if side == "left" else 0
        place = slice(first, first + sample.length)
        input_ids[row, place] = torch.tensor(sample.input_ids)
        labels[row, place] = torch.tensor(sample.labels)
        attention_mask[row, place] = 1
    batch = {
        "input_ids": input_ids,
        "attention_mask": attention_mask,
        "labels": labels,
        "mm_token_type_ids": (input_ids == image_id).long() * attention_mask,
    }
    pixels = [sample.pixel_values for sample in samples if sample.pixel_values is not None]
    grids = [sample.image_grid_thw for sample in samples if sample.image_grid_thw is not None]
    if pixels:
        batch["pixel_values"] = torch.cat(pixels)
        batch["image_grid_thw"] = torch.cat(grids)
    return batch
