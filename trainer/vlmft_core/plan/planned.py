"""Plan as figures: what a preset comes to."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any


@dataclass(frozen=True)
class Plan:
    """What a preset comes to. None stands for what cannot be known yet."""

    samples: int | None
    """Training samples in one epoch."""
    eval_samples: int | None
    """Samples in one eval."""
    gpus: int
    """GPUs, or ranks on a CPU."""
    effective_batch: int
    """Samples for each optimizer step."""
    micro_batch: int
    """Samples that one GPU processes at once."""
    accumulation: int
    """Micro-batches for each optimizer step on each GPU."""
    epochs: float
    """Passes over the training samples."""
    steps_per_epoch: int | None
    """Optimizer steps, the last with a partial batch."""
    total_steps: int | None
    """Optimizer steps of the whole training."""
    warmup_steps: int | None
    """Steps over which the learning rate rises to its peak."""
    evals: int | None
    """Evals while training, the one after the last step included."""
    evals_per_epoch: float | None
    """Evals that an epoch has on average, without the one after the last step."""
    trainable_params: int | None
    """Parameters of the adapter."""
    total_params: int | None
    """Parameters of the base model."""
    adapter_bytes: int | None
    """Size of the saved adapter: in the base's number format."""
    checkpoint_bytes: int | None
    """Size of one checkpoint: for each trainable parameter 12 bytes of optimizer state (an fp32 copy and AdamW's two
    moments), the adapter, and under ZeRO-0 and 2 the weight once more. Checkpoints of the demo were 0.14 MB larger."""
    checkpoints_kept: int | None
    """Checkpoints on disk at most: the limit and the newest, or one for each eval."""
    disk_bytes: int | None
    """Checkpoints kept, the final adapter and the logs."""
    gpu: str | None
    """GPU that memory and time are for; None on a CPU, or where none is known."""
    gpu_bytes: int | None
    """Memory that it has."""
    gpu_memory_bytes: int | None
    """Peak memory of one GPU (of one process on a CPU); `vlmft_core.plan.memory` has the formula."""
    memory: dict[str, int] | None
    """The same by what takes it."""
    recomputed_every: int | None
    """Layers that are recomputed in the backward pass: 0 none, 1 all but the last, n the first of each n. For `auto`
    as few as the GPU has room for, and all where the GPU is not known."""
    fits: bool | None
    """Whether the GPU's memory suffices."""
    ways_to_fit: tuple[str, ...]
    """Where it does not: what would make it fit, as options of the command line, each with the memory it comes to;
    several at once where none suffices alone."""
    hours: tuple[float, float] | None
    """Training time in hours, fast and slow, without start, evals and answers."""
    hours_source: str
    """Where the time comes from: a formula with its figures, a run, or why it is not known."""
    sample_flops: float | None
    """Operations for one sample, recomputed ones included."""
    notes: tuple[str, ...] = ()
    """What was changed to fit, and what is unknown and why."""
    warnings: tuple[str, ...] = ()
    """Where a claim of the preset or of the published recipe does not hold, one sentence each."""

    def to_dict(self) -> dict[str, Any]:
        """The plan as plain data for JSON."""
        return asdict(self)
