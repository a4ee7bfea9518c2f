"""Learning rate: what a plan promises for every step. Loads nothing: logs are compared with it as they are read."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple


class RatePlan(NamedTuple):
    """All that the planned learning rates follow from."""

    total_steps: int
    """Optimizer steps of the whole training, at least 1."""
    warmup_steps: int
    """Steps over which the rate rises from 0 to the peak."""
    peak_lr: float
    """The highest rate."""
    scheduler: str
    """The course after the warm-up: `cosine`, `linear` or `constant`."""


def rate_plan(plan: Mapping[str, Any]) -> RatePlan | None:
    """What a `plan` record tells of it; None where that is no whole schedule, as in the logs of other programs."""
    total, warmup, peak, scheduler = (plan.get(key) for key in RatePlan._fields)
    if not isinstance(total, int) or not isinstance(warmup, int) or not isinstance(peak, int | float):
        return None
    if total < 1 or not 0 < peak < math.inf or scheduler not in ("cosine", "linear", "constant"):
        return None
    return RatePlan(total, warmup, float(peak), scheduler)


def planned_rate(plan: RatePlan, step: int) -> float:
    """The rate of the update that makes step `step`, as transformers' schedules with warm-up give it.

    A scheduler moves after each update: step n is made with its rate after n - 1 updates. That is what transformers
    logs at step n, with DeepSpeed too; where there is a warm-up, step 1 has a rate of 0.

    Args:
        step: 1 to `total_steps`; one outside has the rate of the nearest end.
    """
    total, warmup, peak, scheduler = plan
    updates = max(0, min(step - 1, total))
    if updates < warmup:
        return peak * updates / warmup
    if scheduler == "constant":
        return peak
    falling = max(1, total - warmup)
    if scheduler == "linear":
        return peak * max(0.0, (total - updates) / falling)
    return peak * max(0.0, 0.5 * (1 + math.cos(math.pi * (updates - warmup) / falling)))


def plan_deviation(plan: RatePlan, rates: Iterable[tuple[float, float | None]]) -> float | None:
    """Largest distance of a logged rate from the planned one, as a share of the peak; None where none was logged.

    Args:
        plan: what the rates are held against.
        rates: step and rate; None for one that is not known.
    """
    off = [abs(rate - planned_rate(plan, int(step))) for step, rate in rates if rate is not None]
    return max(off) / plan.peak_lr if off else None
