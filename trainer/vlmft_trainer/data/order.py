"""Order of the samples: the same effective batches whatever the ranks, shared out evenly into micro-batches."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any

import torch
from torch.utils.data import DataLoader, Dataset, Sampler

from vlmft_trainer.data.encode import IGNORED, Encoded

MASKED = -1
"""Index -1 - n is sample n without loss: what a rank computes on when a last, smaller batch leaves it nothing."""


class MicroBatches(Sampler[list[int]]):
    """One rank's micro-batches of one epoch, effective batch after effective batch.

    Samples are shuffled by seed and epoch alone, then cut into effective batches; the last one of an epoch may be
    smaller. Within an effective batch ranks and micro-batches share the samples so that each gets about as many
    tokens: ranks wait for each other after every micro-batch, and the largest one decides how much memory is needed.

    Args:
        lengths: tokens of each sample.
        effective_batch: samples of an optimizer step over all ranks: a multiple of `micro_batch` x `world`.
        micro_batch: samples of a micro-batch at most.
        packed: whether a micro-batch becomes a row without padding, which costs its tokens; a padded one costs its
            longest sample for each, so that like goes with like.
        seed: of the shuffling.
        rank: whose micro-batches.
        world: number of ranks.
    """

    def __init__(
        self,
        lengths: Sequence[int],
        *,
        effective_batch: int,
        micro_batch: int,
        packed: bool,
        seed: int,
        rank: int = 0,
        world: int = 1,
    ) -> None:
        self.lengths = lengths
        self.effective_batch = effective_batch
        self.micro_batch = micro_batch
        self.packed = packed
        self.seed = seed
        self.rank = rank
        self.world = world
        self.epoch = 0

    def set_epoch(self, epoch: int) -> None:
        """Choose the epoch, from 0, that the next iteration is of."""
        self.epoch = epoch

    def __len__(self) -> int:
        full, rest = divmod(len(self.lengths), self.effective_batch)
        return full * self._rounds(self.effective_batch) + self._rounds(rest)

    def __iter__(self) -> Iterator[list[int]]:
        generator = torch.Generator().manual_seed(self.seed + self.epoch)
        order = torch.randperm(len(self.lengths), generator=generator).tolist()
        for start in range(0, len(order), self.effective_batch):
            batch = order[start : start + self.effective_batch]
            shares = self._share_out(batch)
            for first in range(0, len(shares), self.world):
                mine = shares[first + self.rank]
                # As many micro-batches for each rank: with weights or gradients shared, all must come to each.
                yield mine or [MASKED - min(batch, key=self.lengths.__getitem__)]

    def _rounds(self, samples: int) -> int:
        """Micro-batches for each rank in an effective batch of this size."""
        return math.ceil(samples / (self.micro_batch * self.world))

    def _share_out(self, batch: list[int]) -> list[list[int]]:
        """An effective batch's micro-batches, the heavy ones first; the first `world` of them run at one time."""
        count = self._rounds(len(batch)) * self.world
        heavy_first = sorted(batch, key=lambda sample: (-self.lengths[sample], sample))
        if not self.packed:
            return [list(share) for share in _slices(heavy_first, count)]
        shares: list[list[int]] = [[] for _ in range(count)]
        tokens = [0] * count
        for sample in heavy_first:
            room = (share for share in range(count) if len(shares[share]) < self.micro_batch)
            lightest = min(room, key=lambda share: (tokens[share], share))
            shares[lightest].append(sample)
            tokens[lightest] += self.lengths[sample]
        return [shares[share] for share in sorted(range(count), key=lambda share: (-tokens[share], share))]


def _slices(items: Sequence[int], count: int) -> Iterator[Sequence[int]]:
    """`items` in `count` runs whose sizes differ by at most one."""
    for part in range(count):
        yield items[len(items) * part // count : len(items) * (part + 1) // count]


class MaskableSamples(Dataset[Encoded]):
    """Samples of which some are asked for without loss (see `MASKED`)."""

    def __init__(self, samples: Any) -> None:
        self.samples = samples

    def __len__(self) -> int:
        return len(self.samples)

    def __getitem__(self, index: int) -> Encoded:
        if index >= 0:
            return self.samples[index]  # type: ignore[no-any-return]
        sample: Encoded = self.samples[MASKED - index]
        return replace(sample, labels=[IGNORED] * sample.length)


class MicroBatchLoader(DataLoader[Encoded]):
    """A data loader over `MicroBatches`."""

    def set_epoch(self, epoch: int) -> None:
        """The trainer calls it at the start of an epoch."""
        assert isinstance(self.batch_sampler, MicroBatches)
        self.batch_sampler.set_epoch(epoch)
