"""Contents of a log of another program: whether it tells anything to judge, and what it holds else."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

_NAMED: Final = 12
"""Names that a message lists."""


@dataclass(frozen=True)
class Contents:
    """What was found in a log so far."""

    trained: bool
    """Whether it tells a train loss, an eval loss or a learning rate of the training judged."""
    eval_sets: tuple[str, ...]
    """The sets that eval losses were measured on, in the order seen; "" is the unnamed one."""
    judged_set: str | None
    """The one of them that is judged; None before the first."""
    metrics: tuple[str, ...]
    """Names of its other numbers, in the order seen."""
    else_holds: str = ""
    """What a log without any of these holds, in words; empty where that cannot be told."""

    def nothing_to_judge(self) -> str:
        """Why there is no verdict, as the rest of a sentence about the log; empty where there is one."""
        if self.trained:
            return ""
        held = f"its metrics are {listed(self.metrics)}" if self.metrics else self.else_holds
        return "holds no train loss and no eval loss" + (f": {held}" if held else "")


def listed(names: Sequence[str]) -> str:
    """Names in a row, the first few of many."""
    more = f" and {len(names) - _NAMED:,} more" if len(names) > _NAMED else ""
    return ", ".join(names[:_NAMED]) + more
