"""Eval batches: how ranks share samples that a model is only asked about."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import torch
from torch.utils.data import DataLoader, Dataset

from vlmft_core.plan.shared_memory import EVAL_AHEAD
from vlmft_trainer.data.encode import Encoded
from vlmft_trainer.distributed import ranks
from vlmft_trainer.model.inputs import on_device


def rounds(order: Sequence[int], batch_size: int, rank: int, world: int) -> Iterator[tuple[list[int], bool]]:
    """How one rank goes through samples: as many batches on each rank, because under ZeRO-3 every forward needs all of
    them. Neighbours in `order` come into one batch.

    Yields:
        Indices, and whether they count; a rank that has run out repeats the first sample, which does not.
    """
    for start in range(0, len(order), batch_size * world):
        part = order[start : start + batch_size * world]
        batch = list(part[len(part) * rank // world : len(part) * (rank + 1) // world])
        yield (batch, True) if batch else ([order[0]], False)


def batches(
    dataset: Dataset[Encoded],
    order: Sequence[int],
    join: Callable[[list[Encoded]], dict[str, Any]],
    batch_size: int,
    workers: int,
    ahead: int = EVAL_AHEAD,
) -> Iterator[tuple[list[int], bool, dict[str, Any]]]:
    """This rank's batches, on its device, each with its indices and whether they count.

    Args:
        order: as `rounds`.
        ahead: batches that each data worker prepares.
    """
    plan = list(rounds(order, batch_size, ranks.rank(), ranks.world_size()))
    loader = DataLoader(
        dataset,
        batch_sampler=[indices for indices, _ in plan],
        collate_fn=join,
        num_workers=workers,
        prefetch_factor=ahead if workers else None,
        generator=torch.Generator(),  # its own, so that an eval does not move the training's random numbers
    )
    device = ranks.device()
    for (indices, own), batch in zip(plan, loader, strict=True):
        yield indices, own, on_device(batch, device)


@contextmanager
def evaluating(model: Any) -> Iterator[None]:
    """No dropout and no gradients inside."""
    was_training = model.training
    model.eval()
    try:
        with torch.no_grad():
            yield
    finally:
        model.train(was_training)
