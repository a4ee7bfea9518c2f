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
EARLY: Final = 3 * SIZE
"""Logged losses from which on windows tell. Until then fewer in a row do, if they say more."""
ROW: Final = 5
BEYOND: Final = 1.5
"""Times the highest loss until the lowest row, which each of the newest row must be above: an untrained model's."""
UNTRAINED: Final = 1.0
"""A highest loss below is taken for this in a short log: of other data, or of another task, a small one may become many
times as large in a sound training."""


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


class _Row(NamedTuple):
    """The newest losses of a log that is too short for windows, far above all that it began with."""

    low: float
    """What all of them lie above."""
    middle: float
    lowest: float
    """What the lowest row lay below; no row before it was as low, so a sum that only grows has none."""
    lowest_step: int
    highest: float
    """Of all losses until the lowest row's end."""

    @property
    def stops(self) -> bool:
        return self.middle > STOP_TIMES * max(self.highest, UNTRAINED)


def _newest_row(losses: list[tuple[int, float]]) -> _Row | None:
    """The newest row, if each of it is far above; steps and their losses."""
    values = [loss for _, loss in losses]
    tops = [max(values[at : at + ROW]) for at in range(len(values) - 2 * ROW + 1)]
    if not tops or min(values) < 0:
        return None
    lowest, low = min(tops), min(values[-ROW:])
    at = tops.index(lowest)
    highest = max(values[: at + ROW])
    if not at or low <= max(BEYOND * highest, TIMES * max(lowest, FLOOR)):
        return None
    return _Row(low, sorted(values[-ROW:])[ROW // 2], lowest, losses[at + ROW - 1][0], highest)


class LossExploded(Rule):
    """Three of four losses of a window are above twice what three of four were below when the loss was at its lowest:
    by more than the run's own scatter, however large that is. More than half of what was learned must be lost, too.

    It is over once three of four are below that limit again. Losses of a training by reward may go anywhere. As long as
    a log is short, a few losses in a row tell it that are all above anything that an untrained model had.
    """

    name = "loss_exploded"

    def __init__(self, settings: Settings) -> None:
        self._window: list[float] = []
        self._levels = _Levels()
        self._next: tuple[list[float], _Levels] = ([], self._levels)
        """Both after the stretch that `quiet` was last asked about."""
        self._early: list[tuple[int, float]] = []
        """Steps and losses of a log that is still short."""
        self._short = True
        self._row: _Row | None = None

    def on_step(self, record: Record, state: HealthState) -> bool:
        loss = record["loss"]
        if loss is None:
            return False
        held = self._row is not None
        if self._short:
            self._early.append((record["step"], loss))
            self._short = len(self._early) < EARLY
            self._row = _newest_row(self._early) if self._short else None
        return self._fill(loss, record["step"]) or held or self._row is not None

    def _fill(self, loss: float, step: int) -> bool:
        """Add to the window; whether that changes what windows say."""
        self._window.append(loss)
        if len(self._window) < SIZE:
            return False
        was, self._levels = self._levels.high, self._levels.after(self._window, step)
        self._window.clear()
        return was or self._levels.high

    def quiet(self, stretch: Stretch, state: HealthState) -> bool:
        if self._levels.high or self._short:
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
        self._row, self._short = None, not self._early  # what a run goes on with is no untrained model's

    def diagnose(self, state: HealthState) -> Verdict | None:
        found, row = self._levels, self._row
        if state.kind.reward:
            return None
        if row and (row.stops or not found.high):
            message = (
                f"train loss exploded: the last {ROW} logged are above {figure(row.low)}; at step {row.lowest_step:,}"
                f" {ROW} in a row were below {figure(row.lowest)}"
            )
            return Verdict(STOP if row.stops else CAUTION, message, advice.exploded(state, row.lowest_step))
        if not found.high or found.signed:
            return None
        message = (
            f"train loss exploded: three of four of the last {SIZE} logged are above {figure(found.newest)}; at step"
            f" {found.lowest_step:,} three of four were below {figure(found.lowest)}"
        )
        stop = found.newest > _limit(found.first or 0.0, found.lowest, STOP_TIMES)
        return Verdict(STOP if stop else CAUTION, message, advice.exploded(state, found.lowest_step))
