"""Planned time: how long a preset trains by its plan, short enough for a list."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from vlmft_console.figures import hours, whole
from vlmft_core.errors import VlmftError
from vlmft_core.plan import make_plan
from vlmft_core.plan.gpus import Gpu
from vlmft_core.preset import Preset


@dataclass(frozen=True)
class PlannedTime:
    """Hours of training by counted operations, without its start, evals and answers."""

    hours: tuple[float, float] | None = None
    """Fast and slow; None where that is not known."""
    on: str = ""
    """What it runs on: `8 A100-SXM4-80GB`."""

    @property
    def text(self) -> str:
        """`2.6-4.7h`, or `26-47min`; empty where it is not known."""
        if self.hours is None:
            return ""
        fast, slow = self.hours
        return f"{whole(60 * fast)}-{whole(60 * slow)}min" if slow < 1 else f"{hours(fast)}-{hours(slow)}h"


def planned_time(preset: Preset, gpu: Gpu | None) -> PlannedTime:
    """The time of a preset on its number of GPUs.

    Args:
        gpu: this machine's; None plans for the one of the published recipe's table.
    """
    try:
        plan = make_plan(preset, gpu=gpu)
    except (VlmftError, OSError):  # who starts it, or looks at its plan, is told why
        return PlannedTime()
    return PlannedTime(plan.hours, f"{plan.gpus} {plan.gpu}") if plan.hours else PlannedTime()


def time_label(label: str, times: Sequence[PlannedTime]) -> str:
    """`label`, with the GPUs behind it where all are for the same: `time (8 A100)`."""
    places = {time.on for time in times if time.on}
    return f"{label} ({places.pop().partition('-')[0]})" if len(places) == 1 else label
