"""Order of the samples: the same effective batches whatever the ranks, shared out evenly into micro-batches."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Iterator, Sequence
from itertools import islice

import torch
from torch.utils.data import DataLoader, Sampler

from vlmft_trainer.data.encode import Encoded
from vlmft_trainer.data.prefixes import Groups


class MicroBatches(Sampler[list[int]]):
    """One rank's micro-batches of one epoch, effective batch after effective batch.

    Samples are shuffled by seed and epoch alone, then cut into effective batches; the last one of an epoch may be
    smaller. Within an effective batch ranks and micro-batches share the samples so that each gets about as many
    tokens: ranks wait for each other after every micro-batch, and the largest one decides how much memory is needed. A
    micro-batch that is left nothing is empty: all ranks go through as many.

    With `groups`, these are shuffled instead, and stay together in an effective batch and in a micro-batch, which then
    holds as many samples as it has tokens for.

    Args:
        lengths: tokens of each sample.
        effective_batch: samples of an optimizer step over all ranks: a multiple of `micro_batch` x `world`.
        micro_batch: samples of a micro-batch at most; with `groups`, their tokens at the most.
        packed: whether a micro-batch becomes a row without padding, which costs its tokens; a padded one costs its
            longest sample for each, so that like goes with like.
        seed: of the shuffling.
        rank: whose micro-batches.
        world: number of ranks.
        groups: samples that begin alike, and are to share that; only for packed rows.
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
        groups: Groups | None = None,
    ) -> None:
        self.lengths = lengths
        self.effective_batch = effective_batch
        self.micro_batch = micro_batch
        self.packed = packed
        self.seed = seed
        self.rank = rank
        self.world = world
        self.groups = groups
        self.epoch = 0

    def set_epoch(self, epoch: int) -> None:
        """Choose the epoch, from 0, that the next iteration is of."""
        self.epoch = epoch

    def of_epochs(self, epochs: int) -> Iterator[list[int]]:
        """The micro-batches of so many epochs, from the first."""
        for epoch in range(epochs):
            self.set_epoch(epoch)
            yield from self

    def __len__(self) -> int:
        full, rest = divmod(len(self.lengths), self.effective_batch)
        return full * self._rounds(self.effective_batch) + self._rounds(rest)

    def __iter__(self) -> Iterator[list[int]]:
        for batch in self._effective_batches(self.epoch):
            yield from self._share_out(batch)[self.rank :: self.world]

    def of_step(self, step: int) -> list[list[int]]:
        """The micro-batches of an optimizer step, of all ranks, which take turns in them; steps count from 1 through
        all epochs."""
        epoch, place = divmod(step - 1, math.ceil(len(self.lengths) / self.effective_batch))
        return self._share_out(next(islice(self._effective_batches(epoch), place, None)))

    def _effective_batches(self, epoch: int) -> Iterator[list[int]]:
        generator = torch.Generator().manual_seed(self.seed + epoch)
        order = torch.randperm(len(self.lengths), generator=generator).tolist()
        return self._whole_groups(order, self.groups) if self.groups else _runs(order, self.effective_batch)

    def _whole_groups(self, order: Sequence[int], groups: Groups) -> Iterator[list[int]]:
        """The effective batches, where groups come in the order of one of their samples: large ones come no earlier.

        A group that has no room left begins the next batch, and smaller ones take its place; only where there are none
        near is it cut.
        """
        place = {sample: number for number, sample in enumerate(order)}
        samples: dict[int, list[int]] = {}
        for sample in order:
            samples.setdefault(groups.first[sample], []).append(sample)
        waiting = deque(samples[first] for first in sorted(samples, key=place.__getitem__))
        while waiting:
            batch: list[int] = []
            passed: list[list[int]] = []
            while waiting and len(batch) < self.effective_batch and len(passed) < self.effective_batch:
                group = waiting.popleft()
                if len(batch) + len(group) <= self.effective_batch:
                    batch += group
                else:
                    passed.append(group)
            if passed and (room := self.effective_batch - len(batch)):
                batch += passed[0][:room]
                passed[0] = passed[0][room:]
            waiting.extendleft(reversed(passed))
            yield batch

    def _rounds(self, samples: int) -> int:
        """Micro-batches for each rank in an effective batch of this size."""
        return math.ceil(samples / (self.micro_batch * self.world))

    def _share_out(self, batch: list[int]) -> list[list[int]]:
        """An effective batch's micro-batches, the heavy ones first; the first `world` of them run at one time."""
        count = self._rounds(len(batch)) * self.world
        if not self.packed:
            heavy_first = sorted(batch, key=lambda sample: (-self.lengths[sample], sample))
            return [list(share) for share in _slices(heavy_first, count)]
        if self.groups:
            together, most = self._together(batch, self.groups, count), len(batch)
        else:
            together, most = [(self.lengths[sample], [sample]) for sample in batch], self.micro_batch
        shares: list[list[int]] = [[] for _ in range(count)]
        tokens = [0] * count
        for weight, samples in sorted(together, key=lambda one: (-one[0], one[1])):
            room = (share for share in range(count) if len(shares[share]) < most)
            lightest = min(room, key=lambda share: (tokens[share], share))
            shares[lightest] += samples
            tokens[lightest] += weight
        return [shares[share] for share in sorted(range(count), key=lambda share: (-tokens[share], share))]

    def _together(self, batch: list[int], groups: Groups, count: int) -> list[tuple[int, list[int]]]:
        """Samples that go into one micro-batch, and their tokens. A group is taken apart where it has more than a
        micro-batch would have if nothing were shared."""
        most = sum(self.lengths[sample] for sample in batch) / count
        parts: list[tuple[int, list[int]]] = []
        of: dict[int, int] = {}
        for sample in batch:
            first, length = groups.first[sample], self.lengths[sample]
            part = of.get(first)
            if part is not None and parts[part][0] + length - groups.shared[sample] <= most:
                weight, samples = parts[part]
                parts[part] = (weight + length - groups.shared[sample], [*samples, sample])
            else:
                of[first] = len(parts)
                parts.append((length, [sample]))
        return parts


def _runs(items: Sequence[int], length: int) -> Iterator[list[int]]:
    """`items` in runs of `length`, the last of which may be shorter."""
    for start in range(0, len(items), length):
        yield list(items[start : start + length])


def _slices(items: Sequence[int], count: int) -> Iterator[Sequence[int]]:
    """`items` in `count` runs whose sizes differ by at most one."""
    for part in range(count):
        yield items[len(items) * part // count : len(items) * (part + 1) // count]


class MicroBatchLoader(DataLoader[Encoded]):
    """A data loader over `MicroBatches`."""

    @property
    def micro_batches(self) -> MicroBatches:
        """The order that it follows."""
        assert isinstance(self.batch_sampler, MicroBatches)
        return self.batch_sampler

    def set_epoch(self, epoch: int) -> None:
        """The trainer calls it at the start of an epoch."""
        self.micro_batches.set_epoch(epoch)
