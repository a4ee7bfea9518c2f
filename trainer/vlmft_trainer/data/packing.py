"""Packed rows: several encoded samples laid end to end for Qwen2.5-VL, no padding, each sample by itself.

Samples that begin alike may share their beginning: it is in the row once, and each sample's keys are gathered from
where they lie. Loss and gradients are those of separate samples, since a token's values follow from what stands before
it. Only dropout is drawn once for what is shared, where each sample would have drawn its own.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from typing import Any

import torch

from vlmft_trainer.data.collate import images_and_tower, with_an_image
from vlmft_trainer.data.encode import IGNORED, Encoded, Encoder
from vlmft_trainer.data.positions import positions
from vlmft_trainer.data.prefixes import Common, common_prefix


def pack_collator(encoder: Encoder, *, share: bool = False) -> Callable[[Sequence[Encoded]], dict[str, Any]]:
    """`pack` for one base model."""
    return partial(pack, image_id=encoder.image_id, merge=encoder.image_processor.merge_size, share=share)


def pack(samples: Sequence[Encoded], *, image_id: int, merge: int, share: bool = False) -> dict[str, Any]:
    """One row of all samples.

    Args:
        samples: a row of none is a row of one token without loss.
        image_id: token id of an image placeholder.
        merge: patches merged along a side of an image token.
        share: leave out what a sample begins with as an earlier one does, images included (see `common_prefix`); only
            this project's own attention takes such a row.

    Returns:
        `input_ids`, `labels`: int64 `[1, tokens]`; the first label of each sample is `IGNORED`, so that no sample
        is asked what the next one begins with.
        `position_ids`: int64 `[4, 1, tokens]`: place in the sample, then M-RoPE's time, row and column.
        `cu_seq_lens_q`: int32 `[samples + 1]`: where the samples' own tokens begin, and the row's length;
        `cu_seq_lens_k`: the same of the tokens that they see; they differ where something is shared.
        `max_length_q`, `max_length_k`: the longest of both (transformers' names for attention over rows of several
        sequences).
        `kv_indices`: int64, as long as `cu_seq_lens_k` says: places in the row of what each sample sees, itself
        included. Only where something is shared.
        `pixel_values`, `image_grid_thw`, `tower_inputs`: as `collate`; there is always an image (see
        `with_an_image`).
    """
    samples = with_an_image(samples, image_id, merge)
    common, kv_indices = _lay_out(samples, image_id, merge, share=share)
    ids = [torch.tensor(sample.input_ids) for sample in samples]
    places = [
        torch.cat([torch.arange(len(one))[None], positions(one == image_id, sample.image_grid_thw, merge)])
        for one, sample in zip(ids, samples, strict=True)
    ]
    own = [slice(one.tokens, None) for one in common]
    lengths = [sample.length - one.tokens for sample, one in zip(samples, common, strict=True)]
    cu_seqlens = torch.tensor([0, *lengths]).cumsum(0)
    seen = torch.tensor([0, *(sample.length for sample in samples)]).cumsum(0)
    labels = torch.cat([torch.tensor(sample.labels[part]) for sample, part in zip(samples, own, strict=True)])
    labels[cu_seqlens[:-1]] = IGNORED
    shared = any(one.tokens for one in common)
    return {
        "input_ids": torch.cat([one[part] for one, part in zip(ids, own, strict=True)])[None],
        "labels": labels[None],
        "position_ids": torch.cat([one[:, part] for one, part in zip(places, own, strict=True)], dim=1)[:, None],
        "cu_seq_lens_q": cu_seqlens.int(),
        "cu_seq_lens_k": seen.int(),
        "max_length_q": max(lengths),
        "max_length_k": max(sample.length for sample in samples),
        **({"kv_indices": torch.cat(kv_indices)} if shared else {}),
        **images_and_tower([_without(sample, one.images) for sample, one in zip(samples, common, strict=True)], merge),
    }


def _lay_out(
    samples: Sequence[Encoded], image_id: int, merge: int, *, share: bool
) -> tuple[list[Common], list[torch.Tensor]]:
    """What each sample leaves out, as an earlier one has it, and where in the row all of its tokens are."""
    common: list[Common] = []
    places: list[torch.Tensor] = []
    begun = 0
    for number, sample in enumerate(samples):
        best, source = Common(), 0
        for earlier in range(number if share else 0):
            found = common_prefix(samples[earlier], sample, image_id, merge)
            if found.tokens > best.tokens:
                best, source = found, earlier
        end = begun + sample.length - best.tokens
        mine = torch.arange(begun, end)
        places.append(torch.cat([places[source][: best.tokens], mine]) if best.tokens else mine)
        common.append(best)
        begun = end
    return common, places


def _without(sample: Encoded, images: int) -> Encoded:
    """A sample without its first images."""
    if not images:
        return sample
    assert sample.pixel_values is not None
    assert sample.image_grid_thw is not None
    if images == len(sample.image_grid_thw):
        return replace(sample, pixel_values=None, image_grid_thw=None)
    patches = int(sample.image_grid_thw[:images].prod(1).sum())
    return replace(sample, pixel_values=sample.pixel_values[patches:], image_grid_thw=sample.image_grid_thw[images:])
