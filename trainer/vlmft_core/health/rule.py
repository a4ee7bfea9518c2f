"""Health rule: the base class, and the verdict that a rule gives."""

from __future__ import annotations

import copy
from collections import deque
from typing import Any, ClassVar, NamedTuple, Self

from vlmft_core.figures import figure
from vlmft_core.health.finding import Advice, Severity
from vlmft_core.health.health_state import HealthState
from vlmft_core.health.stretch import Stretch
from vlmft_core.health.thresholds import Settings
from vlmft_core.run_folder.events import Record


class Verdict(NamedTuple):
    """What a rule says while it holds."""

    severity: Severity
    message: str
    advice: Advice


class Rule:
    """One rule. It is shown the records it looks at, says whether it wants to be asked, and then gives its verdict.

    Its own state is numbers and containers of things that never change, so a shallow copy of each is a copy of all.
    """

    name: ClassVar[str]
    after_others: ClassVar[bool] = False
    """Whether the verdict depends on which rules hold: those before it in `RULES`."""

    def __init__(self, settings: Settings) -> None:
        """Settings that are looked at at every step are kept; the rest is in the state."""

    def on_plan(self, state: HealthState) -> None:
        """A `plan` event came; it is in `state`."""

    def on_step(self, record: Record, state: HealthState) -> bool:
        """A `step` event, already in `state`. Called most: cheap. True when the verdict may have changed."""
        return False

    def on_eval(self, record: Record, state: HealthState) -> bool:
        """An `eval` event of a later step than the last, already in `state`."""
        return False

    def on_other(self, record: Record, state: HealthState) -> bool:
        """Any other event, or an eval that repeats an earlier one."""
        return False

    def quiet(self, stretch: Stretch, state: HealthState) -> bool:
        """Whether the rule is sure that it would want to be asked at none of these records. Changes no verdict.

        Args:
            stretch: what comes next; it follows what was.
            state: as it is before the stretch.
        """
        return True

    def skip(self, stretch: Stretch, state: HealthState) -> None:
        """Take in a stretch for which `quiet` was just true, as `on_step` and `on_other` would."""

    def rewind(self) -> None:
        """The steps to come replace earlier ones: forget those."""

    def diagnose(self, state: HealthState) -> Verdict | None:
        """What the rule says now; None when it does not hold."""
        raise NotImplementedError

    def __deepcopy__(self, memo: dict[int, Any]) -> Self:
        twin = copy.copy(self)
        for name, value in vars(self).items():
            if isinstance(value, deque | list):
                setattr(twin, name, copy.copy(value))
        return twin


def percent(share: float) -> str:
    """A share as `12.3 %`, a large one without the tenth."""
    return f"{100 * share:.1f} %" if abs(share) < 10 else f"{figure(100 * share)} %"
