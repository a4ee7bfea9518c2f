"""The learning rate at each step. Loads nothing: logs are compared with it as they are read."""

from __future__ import annotations

import math
from typing import Literal


def learning_rate(
    step: int,
    *,
    total_steps: int,
    warmup_steps: int,
    peak: float,
    scheduler: Literal["cosine", "linear", "constant"],
) -> float:
    """The learning rate after `step` steps of the scheduler, as transformers' schedules with warm-up give it.

    The update that makes step n uses `learning_rate(n - 1)`, and that is what transformers logs at step n, with
    DeepSpeed too: the first update has a rate of 0 when there is a warm-up.

    Args:
        step: 0 to `total_steps`.
        total_steps: optimizer steps of the whole training.
        warmup_steps: steps over which the rate rises from 0 to `peak`.
        peak: highest rate.
        scheduler: course after the warm-up.
    """
    if step < warmup_steps:
        return peak * step / warmup_steps
    remaining = max(1, total_steps - warmup_steps)
    if scheduler == "constant":
        return peak
    if scheduler == "linear":
        return peak * max(0.0, (total_steps - step) / remaining)
    return peak * max(0.0, 0.5 * (1 + math.cos(math.pi * (step - warmup_steps) / remaining)))
