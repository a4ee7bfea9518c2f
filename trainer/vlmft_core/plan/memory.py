"""GPU memory that a training will need, estimated from sizes alone, and which activations it has room for."""

from __future__ import annotations

from dataclasses import asdict, dataclass

from vlmft_core.plan.activations import ALL, KEPT, Batch, activations, largest_batch, numbers
from vlmft_core.plan.architecture import Architecture
from vlmft_core.preset.schema import Preset

ANSWER_TOKENS = 32
"""Tokens of one sample that have a label: only they go through the output layer."""
FIXED_BYTES = 2 << 30
"""CUDA's context, communication buffers and fragmentation."""
NF4_BYTES = 0.516
"""Bytes of a weight in 4 bits with its share of the scales: one in 8 bits for each 64 weights, and one in 32 bits for
each 256 of those."""
LIVE_PARAMETERS = 1_000_000_000
"""Parameters that DeepSpeed keeps gathered on a GPU at most, under ZeRO-3 (its `stage3_max_live_parameters`)."""
LARGEST_BUCKET = 500_000_000
"""Gradients that DeepSpeed reduces at once at most (its own default)."""
MARGIN = 0.9
"""Share of a GPU's memory that an estimate may fill before more activations are recomputed."""


@dataclass(frozen=True)
class Memory:
    """Peak memory of one GPU in bytes, by what takes it."""

    weights: int
    """Of the base: shared by the GPUs under ZeRO-3, with up to a billion gathered; offloaded, those alone; in 4 bits
    about half a byte for each in the language model's linear layers."""
    adapter: int
    """What learns: weights, gradients of a micro-batch, the bucket they are reduced in, and, shared by the GPUs under
    ZeRO-2 and 3, gradients of the step, fp32 copy and AdamW's two moments (these 12 bytes are not there when they are
    offloaded)."""
    activations: int
    """Most that forward and backward of the largest micro-batch need at one time."""
    logits: int
    """Of the labelled tokens: in the base's numbers, in fp32, and their gradient."""
    images: int
    """Pixels of the micro-batch."""
    fixed: int
    """2 GiB for CUDA itself; 0 on a CPU."""

    @property
    def total(self) -> int:
        """All of it."""
        return sum(asdict(self).values())


def weight_bytes(preset: Preset) -> int:
    """Bytes for each weight: 2 for bf16 and fp16, 4 for fp32; `auto` is fp32 on a CPU."""
    return numbers(preset).weight


def base_bytes(preset: Preset, base: Architecture) -> int:
    """Bytes of the frozen weights on one GPU."""
    b, held = weight_bytes(preset), base.total_parameters
    if preset.hardware.offload == "parameters":
        return b * min(held, LIVE_PARAMETERS)
    if preset.model.quantization == "nf4":
        linear = base.layers * sum(inputs * outputs for inputs, outputs in base.text_linears().values())
        return b * (held - linear) + round(NF4_BYTES * linear)
    if preset.hardware.zero_stage == 3 and preset.hardware.gpus > 1:
        return b * min(held, held // preset.hardware.gpus + LIVE_PARAMETERS)
    return b * held


def gradient_bucket(trainable: int | None) -> int:
    """Numbers in the bucket that gradients are reduced in: all of an adapter's fit into one.

    Args:
        trainable: parameters that learn; None where that is not known beforehand.
    """
    return min(LARGEST_BUCKET, trainable + trainable % 2) if trainable else LARGEST_BUCKET // 10


def gpu_memory(preset: Preset, base: Architecture, trainable: int, every: int, batch: Batch | None = None) -> Memory:
    """Peak memory of one GPU.

    Activations are within 15 % of what autograd keeps of models of the real sizes; the rest is counted.

    Args:
        trainable: parameters that learn.
        every: which layers are recomputed (`KEPT`, `ALL`, or n for the first of each n).
        batch: the largest micro-batch; None for the largest that the preset allows.

    Raises:
        ModelError: the adapter's layers cannot be told.
    """
    batch = batch or largest_batch(preset, base)
    b, stage = weight_bytes(preset), preset.hardware.zero_stage
    state = b + (0 if preset.hardware.offload != "none" else 12)
    buckets = b * gradient_bucket(trainable) if stage >= 2 else 0
    return Memory(
        weights=base_bytes(preset, base),
        adapter=2 * b * trainable + buckets + state * trainable // (preset.hardware.gpus if stage >= 2 else 1),
        activations=activations(preset, base, batch).peak(every),
        logits=batch.samples * ANSWER_TOKENS * base.vocab * (b + 8),
        images=b * batch.patches * base.patch_inputs,
        fixed=FIXED_BYTES if preset.hardware.device == "cuda" else 0,
    )


def least_every(preset: Preset) -> int:
    """Which layers are recomputed where memory is short: what the preset says, and all of them for `auto`."""
    wanted = preset.training.gradient_checkpointing
    if wanted == "auto":
        return ALL
    return preset.training.recompute_every if wanted else KEPT


def choose_every(preset: Preset, base: Architecture, trainable: int, memory: int, batch: Batch | None = None) -> int:
    """Which layers are recomputed on a GPU: what the preset says, or, for `auto`, as few as its memory allows.

    Args:
        memory: of the GPU, in bytes.
        batch: as for `gpu_memory`.

    Returns:
        `KEPT`, `ALL`, or n for the first of each n layers; `ALL` where nothing fits.

    Raises:
        ModelError: the adapter's layers cannot be told.
    """
    if preset.training.gradient_checkpointing != "auto":
        return least_every(preset)
    batch = batch or largest_batch(preset, base)
    whole = gpu_memory(preset, base, trainable, KEPT, batch)
    room = MARGIN * memory - (whole.total - whole.activations)
    sizes = activations(preset, base, batch)
    return next((every for every in (KEPT, *range(base.layers, ALL, -1)) if sizes.peak(every) <= room), ALL)
