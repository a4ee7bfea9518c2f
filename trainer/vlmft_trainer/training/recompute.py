"""Recomputation: of which layers a step keeps the activations, chosen for this GPU's memory and this run's data."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence

import torch

from vlmft_core.figures import gib
from vlmft_core.plan.activations import ALL, KEPT, Batch, largest_batch
from vlmft_core.plan.architecture import Architecture
from vlmft_core.plan.memory import choose_every, gpu_memory, least_every
from vlmft_core.preset import Preset
from vlmft_trainer.data.prefixes import Groups
from vlmft_trainer.data.samples import Samples
from vlmft_trainer.distributed import ranks


def choose_recomputation(
    preset: Preset,
    base: Architecture | None,
    trainable: int,
    order: Iterable[Sequence[int]],
    samples: Samples,
    groups: Groups | None = None,
) -> tuple[int, str]:
    """Which layers are recomputed in the backward pass on this machine; all ranks call it, and get the same.

    For `auto` those are as few as the memory of the smallest GPU needs for the largest micro-batch, and all where the
    model's sizes are not known. A CPU has memory enough for what it can train.

    Args:
        trainable: parameters that learn.
        order: this rank's micro-batches, as places of their samples.
        samples: the training's.
        groups: those of its samples that share what they begin with; None where nothing is shared.

    Returns:
        `KEPT`, `ALL` (but the last), or n for the first of each n layers; and a sentence on why, empty where the preset
        says it.
    """
    if preset.training.gradient_checkpointing != "auto":
        return least_every(preset), ""
    if not torch.cuda.is_available():
        return KEPT, "activations are kept: a CPU has memory enough"
    if base is None:
        every = least_every(preset)
        return every, f"activations are {recomputed(every)}: the model's sizes are not known"
    (smallest,) = ranks.all_reduce_max([-torch.cuda.get_device_properties(ranks.device()).total_memory])
    memory = -int(smallest)
    batch = longest_batch(preset, base, order, samples, groups)
    every = choose_every(preset, base, trainable, memory, batch)
    needed = gpu_memory(preset, base, trainable, every, batch).total
    why = f"{gib(needed)} GiB of {gib(memory)} are needed for the longest micro-batch, {batch.tokens:,} tokens"
    if needed > memory:
        why += ": more than there is, so this may end for want of memory"
    return every, f"activations are {recomputed(every)}: {why}"


def recomputed(every: int) -> str:
    """What becomes of activations, in words."""
    if every == KEPT:
        return "kept"
    return "recomputed in all layers but the last" if every == ALL else f"recomputed in one of {every} layers"


def longest_batch(
    preset: Preset,
    base: Architecture,
    order: Iterable[Sequence[int]],
    samples: Samples,
    groups: Groups | None = None,
) -> Batch:
    """The longest micro-batch of any rank; the longest that the preset allows where lengths are unknown.

    Images count with the tokens that they have, however many there are to a sample, and whatever limits of their own.
    """
    if samples.lengths is None or samples.image_tokens is None:
        return largest_batch(preset, base)
    tokens = longest = most = images = 0
    for places in filter(None, order):
        own = [samples.lengths[place] for place in places]
        seen = sum(samples.image_tokens[place] for place in places)
        row = sum(own) if preset.training.packing else len(own) * max(own)
        if groups:  # what a group begins with is in the row once
            firsts = Counter(groups.first[place] for place in places)
            row -= sum((many - 1) * groups.shared[first] for first, many in firsts.items())
        tokens, longest, most = max(tokens, row), max(longest, *own), max(most, len(own))
        images = max(images, min(seen, row))
    tokens, longest, most, images = map(int, ranks.all_reduce_max([tokens, longest, most, images]))
    return Batch(most, tokens, longest, images * base.merge)
