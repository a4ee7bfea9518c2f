"""Ranks: what all of them do together. Without a process group (one process, no launcher) each works alone."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from datetime import timedelta
from functools import partial
from typing import TypeVar

import torch
import torch.distributed as dist

from vlmft_core.errors import VlmftError

K = TypeVar("K")
T = TypeVar("T")


def rank() -> int:
    """This process's number, from 0; rank 0 writes and speaks."""
    return dist.get_rank() if dist.is_initialized() else 0


def world_size() -> int:
    return dist.get_world_size() if dist.is_initialized() else 1


def device() -> torch.device:
    """Where this rank computes: its GPU, or the CPU."""
    if torch.cuda.is_available():
        return torch.device("cuda", int(os.environ.get("LOCAL_RANK", "0")))
    return torch.device("cpu")


def barrier() -> None:
    """Wait until every rank is here."""
    if dist.is_initialized():
        dist.barrier()


def set_patience(patience: timedelta) -> None:
    """How long ranks wait for each other from now on, in every group that there is: the libraries make some of their
    own. A rank that has waited for longer ends with an error, and with it the run."""
    if dist.is_initialized():
        for group in dist.distributed_c10d._world.pg_map:
            dist.distributed_c10d._set_pg_timeout(patience, group)  # PyTorch has no public way


def gather(value: T) -> list[T]:
    """Every rank's value, on every rank, in rank order. Pickled: for small things."""
    if not dist.is_initialized():
        return [value]
    values: list[T | None] = [None] * world_size()
    dist.all_gather_object(values, value)
    return values  # type: ignore[return-value]


def gather_entries(mine: Mapping[K, T]) -> dict[K, T]:
    """What every rank has by keys of its own, on every rank."""
    return {key: value for entries in gather(mine) for key, value in entries.items()}


def all_reduce_sum(values: Sequence[float]) -> list[float]:
    """The sum over all ranks of each number, in double precision."""
    sums = torch.tensor(values, dtype=torch.float64, device=device())
    if dist.is_initialized():
        dist.all_reduce(sums)
    return sums.tolist()


def sum_on_device(value: int) -> torch.Tensor:
    """The sum over all ranks of a number, left on the device: nobody waits for it."""
    total = torch.full((), value, dtype=torch.int64, device=device())
    if dist.is_initialized():
        dist.all_reduce(total)
    return total


def all_reduce_max(values: Sequence[float]) -> list[float]:
    """The largest over all ranks of each number."""
    tops = torch.tensor(values, dtype=torch.float64, device=device())
    if dist.is_initialized():
        dist.all_reduce(tops, op=dist.ReduceOp.MAX)
    return tops.tolist()


def any_rank(flag: bool) -> bool:
    """Whether it is so on at least one rank: the same answer everywhere."""
    return all_reduce_max([float(flag)])[0] > 0


def together(work: Callable[[], T]) -> T:
    """Run `work` on every rank; a user's mistake that one rank meets is raised on all, so that none waits forever.

    Raises:
        VlmftError: the first rank's that had one.
    """
    result, mistake = None, None
    try:
        result = work()
    except VlmftError as error:
        mistake = error
    for first in gather(mistake):
        if first is not None:
            raise first
    return result  # type: ignore[return-value]


def host_first(work: Callable[[], T]) -> T:
    """Run `work` on rank 0, then on the first rank of every other host, then on the others: each finds what was
    downloaded or generated already there, whether hosts share their caches or not.

    Raises:
        VlmftError: as `together`.
    """
    results: list[T] = []

    def take_turn(mine: bool) -> None:
        if mine and not results:
            results.append(work())

    for mine in (rank() == 0, os.environ.get("LOCAL_RANK", "0") == "0", True):
        together(partial(take_turn, mine))
    return results[0]
