"""Throughput: what was done since the last `step` event, over all ranks, and how near to the GPUs' peak (MFU)."""

from __future__ import annotations

import resource
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import astuple, dataclass
from functools import partial
from typing import Any

import torch

from vlmft_core.figures import GIB
from vlmft_core.plan.architecture import Architecture
from vlmft_core.plan.flops import Work, training_flops
from vlmft_core.plan.gpus import peak_flops
from vlmft_core.preset.schema import Lora
from vlmft_trainer.data.encode import IGNORED
from vlmft_trainer.distributed import ranks
from vlmft_trainer.model.loss import supervised_tokens


@dataclass(frozen=True)
class StepFigures:
    """The steps since the last `step` event.

    Attributes:
        steps: how many.
        seconds: their wall time, without evals and checkpoints.
        data_seconds: the part of it spent waiting for data, mean of the ranks.
        loss: token-weighted loss, mean of the steps; NaN if any micro-batch's on any rank was not finite.
        samples: how many were trained on.
        work: their tokens (without padding) and image patches; what samples share counts once.
        memory_gib: highest memory of any rank: allocated on the GPU since the last event, or, on a CPU, resident
            since the start.
        replaced: samples replaced so far because their image could not be decoded.
    """

    steps: int
    seconds: float
    data_seconds: float
    loss: float
    samples: int
    work: Work
    memory_gib: float
    replaced: int


class StepMeter:
    """Collects on one rank; `read` adds up over all."""

    def __init__(self) -> None:
        self._start = 0.0
        self.micro_losses: list[torch.Tensor] = []
        """This rank's shares of the loss in the step since `fetch`, one for each micro-batch."""
        self._clear()

    def _clear(self) -> None:
        self._steps = 0
        self._seconds = 0.0
        self._data_seconds = 0.0
        self._samples = 0
        self._work = Work()
        self._loss = torch.zeros((), dtype=torch.float64)

    def fetch(self) -> None:
        """A step begins: its micro-batches are asked for."""
        self._start = time.monotonic()
        self.micro_losses = []

    def fetched(self) -> None:
        """The step's micro-batches are there."""
        self._data_seconds += time.monotonic() - self._start

    def batch(self, micro_batches: Sequence[Mapping[str, Any]]) -> torch.Tensor:
        """Count a step's micro-batches; every rank calls it.

        Returns:
            The effective batch's supervised tokens, over all ranks: on the device, for the loss alone needs them.
        """
        mine = sum((work(batch) for batch in micro_batches), Work())
        self._samples += sum(sample_count(batch) for batch in micro_batches)
        self._work += mine
        return ranks.sum_on_device(mine.supervised)

    def micro_batch(self, loss: torch.Tensor) -> None:
        """Add a micro-batch's share of the step's loss, not filtered: a NaN stays visible."""
        self._loss = self._loss.to(loss.device) + loss.detach().double()
        self.micro_losses.append(loss.detach())

    def step(self) -> None:
        """A step ends."""
        self._steps += 1
        self._seconds += time.monotonic() - self._start

    def read(self, replaced: int) -> StepFigures:
        """The figures since the last call. Every rank calls it.

        Args:
            replaced: how many samples this rank has replaced so far.
        """
        steps, world = max(self._steps, 1), ranks.world_size()
        loss, data, gone, samples, *done = ranks.all_reduce_sum(
            [float(self._loss), self._data_seconds, replaced, self._samples, *astuple(self._work)]
        )
        (memory,) = ranks.all_reduce_max([_memory_gib()])
        figures = StepFigures(
            steps=steps,
            seconds=max(self._seconds, 1e-9),
            data_seconds=data / world,
            loss=loss / world / steps,
            samples=int(samples),
            work=Work(*(int(value) for value in done)),
            memory_gib=memory,
            replaced=int(gone),
        )
        self._clear()
        return figures


def work(batch: Mapping[str, Any]) -> Work:
    """What there is to compute for a batch, as `collate` or `pack` makes it."""
    cu_seqlens = batch.get("cu_seq_lens_q")
    lengths = batch["attention_mask"].sum(1) if cu_seqlens is None else cu_seqlens.diff().long()
    seen = lengths if cu_seqlens is None else batch["cu_seq_lens_k"].diff().long()
    patches = batch["image_grid_thw"].prod(1)
    return Work(
        tokens=int(lengths.sum()),
        token_squares=int((seen**2 - (seen - lengths) ** 2).sum()),  # without what a shared beginning sees
        supervised=supervised_tokens(batch),
        patches=int(patches.sum()),
        patch_squares=int((patches**2).sum()),
    )


def sample_count(batch: Mapping[str, Any]) -> int:
    """How many samples of a batch carry loss."""
    supervised = batch["labels"] != IGNORED
    if "cu_seq_lens_q" not in batch:
        return int(supervised.any(1).sum())
    which = torch.bucketize(supervised[0].nonzero().squeeze(1), batch["cu_seq_lens_q"], right=True)
    return len(set(which.tolist()))


def _memory_gib() -> float:
    if torch.cuda.is_available():
        peak = torch.cuda.max_memory_allocated()
        torch.cuda.reset_peak_memory_stats()
        return peak / GIB
    # Linux counts in KiB.
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20


def find_mfu(base: Architecture | None, lora: Lora, precision: str) -> Callable[[Work, float], float] | None:
    """What turns work and seconds into the share of all ranks' peak, 0 to 1.

    Returns:
        None on a CPU, in fp32, and where the GPU's or the model's figures are not known.
    """
    if base is None or precision == "fp32" or not torch.cuda.is_available():
        return None
    peak = peak_flops(torch.cuda.get_device_name())
    return None if peak is None else partial(mfu, base, lora, peak * ranks.world_size())


def mfu(base: Architecture, lora: Lora, peak: float, work: Work, seconds: float) -> float:
    """Operations that were needed, by those that could have been done in the time.

    Args:
        peak: operations a second of all ranks together.
        work: what was computed on all ranks.
        seconds: wall time.
    """
    return training_flops(base, lora, work) / (seconds * peak)
