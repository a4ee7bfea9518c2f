"""Shared memory: what data workers hold in /dev/shm, through which they hand batches to the training process.

Where it is full, a worker is killed by SIGBUS while it writes, and the message names no reason. Containers often have
64 MiB of it.
"""

from __future__ import annotations

import heapq
import shutil
from collections.abc import Sequence
from typing import Final

from vlmft_core.figures import GIB
from vlmft_core.preset.schema import Preset

FOLDER: Final = "/dev/shm"

TOKEN_BYTES: Final = 4 * (588 + 16) + 8 + 48
"""Of an image token in a batch: four patches of 588 bytes with their places (two int64), the token's place among
windows, and its id, label and four positions (int64). A token of text has the last 48 alone."""

TEXT_TOKENS: Final = 128
"""Of a sample beside its image, where its length is not known."""

EVAL_AHEAD: Final = 2
"""Micro-batches that each worker prepares ahead in an eval."""

ANSWERED_AT_ONCE: Final = 32
"""Questions that a rank answers at once: decoding reads all weights for each token, for one question as for many."""


def look_ahead(accumulation: int, workers: int) -> int | None:
    """Micro-batches that each data worker prepares ahead: together a whole step's and one more each, because a step
    begins with all of its micro-batches at hand. None without workers, which is what the library wants."""
    return -(-accumulation // workers) + 1 if workers else None


def shared_bytes(preset: Preset, lengths: Sequence[int] = ()) -> int:
    """What one rank's workers hold in shared memory at most: the training's batches, which wait while an eval loads its
    own or the batch of questions that is answered next.

    Args:
        lengths: tokens of the samples; without them, each is taken to have an image of `data.max_pixels`.
    """
    workers = preset.data.workers
    ahead = look_ahead(preset.accumulation, workers)
    if ahead is None:
        return 0
    answered = preset.evaluation.micro_batch if preset.hardware.zero_stage == 3 else ANSWERED_AT_ONCE
    evaluated = workers * EVAL_AHEAD * preset.evaluation.micro_batch
    held = workers * ahead * preset.training.micro_batch + max(evaluated, answered if preset.evaluation.answers else 0)
    usual = min(preset.data.max_length, preset.data.max_pixels // 784 + TEXT_TOKENS)
    return TOKEN_BYTES * (sum(heapq.nlargest(held, lengths)) if lengths else held * usual)


def shared_memory_problem(preset: Preset, ranks: int, lengths: Sequence[int] = ()) -> tuple[str, str] | None:
    """What is wrong with the shared memory of this machine, and how to mend it; None where it suffices, or where this
    system has none of that name.

    Args:
        ranks: on this machine.
        lengths: as `shared_bytes`.
    """
    needed = ranks * shared_bytes(preset, lengths)
    try:
        free = shutil.disk_usage(FOLDER).free
    except OSError:
        return None
    if free >= needed:
        return None
    return (
        f"{FOLDER} has {free / GIB:.2f} GiB free, the data workers of {ranks} ranks need up to {needed / GIB:.2f}",
        f"give the container more (docker run --shm-size={-(-needed // GIB) + 1}g), or set data.workers to 0",
    )
