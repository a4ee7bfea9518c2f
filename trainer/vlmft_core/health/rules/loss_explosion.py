"""Loss explosion rule, for a train loss that goes up for good and stays finite: `loss_exploded`."""

from __future__ import annotations

import math
from typing import Final, NamedTuple

from vlmft_core.figures import figure
from vlmft_core.health import advice
from vlmft_core.health.finding import CAUTION, STOP
from vlmft_core.health.health_state import HealthState
from vlmft_core.health.rule import Rule, Verdict
from vlmft_core.health.stretch import Stretch
from vlmft_core.health.thresholds import Settings
from vlmft_core.run_folder.events import Record

SIZE: Final = 20
"""Logged losses of a window; it begins where the one before ends."""
TIMES: Final = 2.0
"""The lowest level, so many times, is where a loss has exploded."""
STOP_TIMES: Final = 3.0
LOST: Final = 0.5
"""Share of what the run had learned that must be lost: a loss that fell to a hundredth may be twice that again."""
FLOOR: Final = 0.1
"""A lowest level below is taken for this: how many times so small a loss has grown says nothing."""


class _Levels(NamedTuple):
    """What the windows so far have shown. A level is what three of four losses of a window lie below."""

    first: float | None = None
    """Level of the first window."""
    lowest: float = math.inf
    lowest_step: int = 0
    """Where the window with that level ended."""
    newest: float = 0.0
    """What three of four losses of the newest window lie above."""
    high: bool = False
    """Whether the loss has exploded."""
    signed: bool = False
    """A loss was below 0: it is no cross entropy, and may be anything."""

    def after(self, window: list[float], step: int) -> _Levels:
        """With one more window, whose last loss is that of a step."""
        ordered = sorted(window)
        low, level = ordered[SIZE // 4], ordered[-1 - SIZE // 4]
        first = level if self.first is None else self.first
        lowest, at = (level, step) if level < self.lowest else (self.lowest, self.lowest_step)
        high = (level if self.high else low) > _limit(first, lowest, TIMES)
        return _Levels(first, lowest, at, low, high, self.signed or ordered[0] < 0)


def _limit(first: float, lowest: float, times: float) -> float:
    """Above it a loss has exploded whose first and lowest level these are."""
    return max(times * max(lowest, FLOOR), lowest + LOST * (first - lowest))


class LossExploded(Rule):
    """Three of four losses of a window are above twice what three of four were below when the loss was at its lowest:
    by more than the run's own scatter, however large that is. More than half of what was learned must be lost, too.

    It is over once three of four are below that limit again. Losses of a training by reward may go anywhere.
    """

    name = "loss_exploded"

    def __init__(self, settings: Settings) -> None:
        self._window: list[float] = []
        self._levels = _Levels()
        self._next: tuple[list[float], _Levels] = ([], self._levels)
        """Both after the stretch that `quiet` was last asked about."""

    def on_step(self, record: Record, state: HealthState) -> bool:
        loss = record["loss"]
        if loss is None:
            return False
        self._window.append(loss)
        if len(self._window) < SIZE:
            return False
        was, self._levels = self._levels.high, self._levels.after(self._window, record["step"])
        self._window.clear()
        return was or self._levels.high

    def quiet(self, stretch: Stretch, state: HealthState) -> bool:
        if self._levels.high:
            return False
        losses, levels, before = [*self._window, *stretch.losses], self._levels, len(self._window)
        for end in range(SIZE, len(losses) + 1, SIZE):
            levels = levels.after(losses[end - SIZE : end], stretch.steps[end - before - 1])
            if levels.high:
                return False
        self._next = losses[len(losses) - len(losses) % SIZE :], levels
        return True

    def skip(self, stretch: Stretch, state: HealthState) -> None:
        self._window, self._levels = self._next

    def rewind(self) -> None:
        self._window.clear()
        self._levels = self._levels._replace(high=False)

    def diagnose(self, state: HealthState) -> Verdict | None:
        found = self._levels
        if not found.high or found.signed or state.kind.reward:
            return None
        message = (
            f"train loss exploded: three of four of the last {SIZE} logged are above {figure(found.newest)}; at step"
            f" {found.lowest_step:,} three of four were below {figure(found.lowest)}"
        )
        stop = found.newest > _limit(found.first or 0.0, found.lowest, STOP_TIMES)
        return Verdict(STOP if stop else CAUTION, message, advice.exploded(state, found.lowest_step))
