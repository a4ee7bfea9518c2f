"""Padded batches: several encoded samples for Qwen2.5-VL, padded to the longest."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, Literal

import torch

from vlmft_trainer.data.encode import IGNORED, Encoded, Encoder
from vlmft_trainer.data.patches import PATCH_BYTES
from vlmft_trainer.data.positions import positions
from vlmft_trainer.data.tower import tower_inputs


def pad_collator(
    encoder: Encoder, side: Literal["left", "right"] = "right"
) -> Callable[[Sequence[Encoded]], dict[str, Any]]:
    """`collate` for one base model."""
    merge = encoder.image_processor.merge_size
    return partial(collate, pad_id=encoder.pad_id, image_id=encoder.image_id, merge=merge, side=side)


def collate(
    samples: Sequence[Encoded], *, pad_id: int, image_id: int, merge: int = 2, side: Literal["left", "right"] = "right"
) -> dict[str, Any]:
    """Pad to the longest sample.

    `mm_token_type_ids` (0 text, 1 image) is always there: without it the model's forward silently falls back to
    one-dimensional positions.

    Args:
        samples: at least one.
        pad_id: token id written into the padding.
        image_id: token id of an image placeholder.
        merge: patches merged along a side of an image token.
        side: right for training, left for generation.

    Returns:
        `input_ids`, `attention_mask`, `labels`, `mm_token_type_ids`: int64 `[batch, longest]`; `pixel_values` (uint8
        `[patches, PATCH_BYTES]`) and `image_grid_thw` (int64 `[images, 3]`). There is always an image, in a row of its
        own at the end if need be (see `with_an_image`). For training also `position_ids` (int64 `[3, batch,
        longest]`: M-RoPE's time, row and column) and `tower_inputs`; generation works them out itself.
    """
    samples = with_an_image(samples, image_id, merge)
    longest = max(sample.length for sample in samples)
    input_ids = torch.full((len(samples), longest), pad_id)
    labels = torch.full_like(input_ids, IGNORED)
    attention_mask = torch.zeros_like(input_ids)
    position_ids = torch.zeros(3, *input_ids.shape, dtype=torch.long)
    for row, sample in enumerate(samples):
        first = longest - sample.length if side == "left" else 0
        place = slice(first, first + sample.length)
        input_ids[row, place] = torch.tensor(sample.input_ids)
        labels[row, place] = torch.tensor(sample.labels)
        attention_mask[row, place] = 1
        position_ids[:, row, place] = positions(input_ids[row, place] == image_id, sample.image_grid_thw, merge)
    return {
        "input_ids": input_ids,
        "attention_mask": attention_mask,
        "labels": labels,
        "mm_token_type_ids": (input_ids == image_id).long() * attention_mask,
        **(images(samples) if side == "left" else {"position_ids": position_ids, **images_and_tower(samples, merge)}),
    }


def images(samples: Sequence[Encoded]) -> dict[str, torch.Tensor]:
    """The samples' images in their order, as `pixel_values` and `image_grid_thw`."""
    with_image = [sample for sample in samples if sample.pixel_values is not None]
    return {
        "pixel_values": torch.cat([sample.pixel_values for sample in with_image]),  # type: ignore[misc]
        "image_grid_thw": torch.cat([sample.image_grid_thw for sample in with_image]),  # type: ignore[misc]
    }


def images_and_tower(samples: Sequence[Encoded], merge: int) -> dict[str, Any]:
    """`images` of the samples with their `tower_inputs`."""
    found = images(samples)
    return {**found, **tower_inputs(found["image_grid_thw"], merge)}


def with_an_image(samples: Sequence[Encoded], image_id: int, merge: int) -> Sequence[Encoded]:
    """The samples and, if none has an image, one more that is nothing but the smallest possible image.

    A rank whose batch has no image would leave out the vision tower, and under ZeRO-3, or with an adapted tower, the
    others would wait there for its share for ever. The additional sample carries no loss and sees nobody.
    """
    if any(sample.pixel_values is not None for sample in samples):
        return samples
    blank = torch.zeros(merge * merge, PATCH_BYTES, dtype=torch.uint8)
    return [*samples, Encoded([image_id], [IGNORED], blank, torch.tensor([[1, merge, merge]]))]
