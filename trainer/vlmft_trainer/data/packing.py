"""Packed rows: several encoded samples laid end to end for Qwen2.5-VL, no padding, each sample by itself."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import torch

from vlmft_trainer.data.collate import images_and_tower, with_an_image
from vlmft_trainer.data.encode import IGNORED, Encoded, Encoder
from vlmft_trainer.data.positions import positions


def pack_collator(encoder: Encoder) -> Callable[[Sequence[Encoded]], dict[str, Any]]:
    """`pack` for one base model."""
    return partial(pack, image_id=encoder.image_id, merge=encoder.image_processor.merge_size)


def pack(samples: Sequence[Encoded], *, image_id: int, merge: int) -> dict[str, Any]:
    """One row of all samples.

    Args:
        samples: at least one.
        image_id: token id of an image placeholder.
        merge: patches merged along a side of an image token.

    Returns:
        `input_ids`, `labels`: int64 `[1, tokens]`; the first label of each sample is `IGNORED`, so that no sample
        is asked what the next one begins with.
        `position_ids`: int64 `[4, 1, tokens]`: place in the sample, then M-RoPE's time, row and column.
        `cu_seq_lens_q`, `cu_seq_lens_k`: int32 `[samples + 1]`, where the samples begin, and the row's length;
        `max_length_q`, `max_length_k`: tokens of the longest sample (transformers' names for attention over rows of
        several sequences).
        `pixel_values`, `image_grid_thw`, `tower_inputs`: as `collate`; there is always an image (see
        `with_an_image`).
    """
    samples = with_an_image(samples, image_id, merge)
    cu_seqlens = torch.tensor([0, *(sample.length for sample in samples)]).cumsum(0)
    labels = torch.cat([torch.tensor(sample.labels) for sample in samples])
    labels[cu_seqlens[:-1]] = IGNORED
    ids = [torch.tensor(sample.input_ids) for sample in samples]
    places = [
        torch.cat([torch.arange(len(one))[None], positions(one == image_id, sample.image_grid_thw, merge)])
        for one, sample in zip(ids, samples, strict=True)
    ]
    max_seqlen = max(sample.length for sample in samples)
    return {
        "input_ids": torch.cat(ids)[None],
        "labels": labels[None],
        "position_ids": torch.cat(places, dim=1)[:, None],
        "cu_seq_lens_q": cu_seqlens.int(),
        "cu_seq_lens_k": cu_seqlens.int(),
        "max_length_q": max_seqlen,
        "max_length_k": max_seqlen,
        **images_and_tower(samples, merge),
    }
