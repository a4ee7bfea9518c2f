"""Loss level rules, for losses that stay high: `loss_high`, `underfit`."""

from __future__ import annotations

from vlmft_core.figures import figure
from vlmft_core.health import advice
from vlmft_core.health.evals import Point
from vlmft_core.health.figures import change
from vlmft_core.health.finding import CAUTION
from vlmft_core.health.health_state import HealthState
from vlmft_core.health.rule import Rule, Verdict, percent
from vlmft_core.health.rules.eval_loss import EvalRule
from vlmft_core.health.stretch import Stretch
from vlmft_core.health.thresholds import Settings
from vlmft_core.run_folder.events import Record

LOOK_EVERY = 10
"""Logged steps between two means of the train loss."""


class LossHigh(Rule):
    """The train loss is still high after the first epoch."""

    name = "loss_high"
    after_others = True

    def __init__(self, settings: Settings) -> None:
        self._limit = settings.loss_high
        self._window = settings.window
        self._count = 0
        """Losses logged since the first epoch ended."""
        self._mean = 0.0
        self._holds = False

    def on_step(self, record: Record, state: HealthState) -> bool:
        if not self._count and not state.first_epoch_over:
            return False
        if record["loss"] is None:
            return False
        self._count += 1
        if self._count > LOOK_EVERY and self._count % LOOK_EVERY:
            return False
        recent = list(state.losses)[-self._count :]
        self._mean = sum(recent) / len(recent)
        was, self._holds = self._holds, self._mean > self._limit
        return was != self._holds or (self._holds and not self._count % self._window)

    def quiet(self, stretch: Stretch, state: HealthState) -> bool:
        if self._holds:
            return False
        losses = stretch.losses[self._first_epoch_over(stretch, state) :]
        before = list(state.losses)[-self._count :] if self._count else []
        # No mean of these comes near the limit, however it is rounded.
        return max((*before, *losses), default=0.0) < 0.999 * self._limit

    def skip(self, stretch: Stretch, state: HealthState) -> None:
        self._count += len(stretch.losses) - self._first_epoch_over(stretch, state)

    def _first_epoch_over(self, stretch: Stretch, state: HealthState) -> int:
        """Index of the first of the steps from which losses are looked at."""
        if self._count:
            return 0
        if max(stretch.epochs) < 1:
            return len(stretch.epochs)
        return next(index for index, epoch in enumerate(stretch.epochs) if epoch >= 1)

    def rewind(self) -> None:
        self._count = 0
        self._holds = False

    def on_eval(self, record: Record, state: HealthState) -> bool:
        return self._holds  # the first eval may tell that the scale is another

    def diagnose(self, state: HealthState) -> Verdict | None:
        if not self._holds or not state.kind.per_token:
            return None
        message = f"train loss {figure(self._mean)} after the first epoch, above {self._limit:g}"
        return Verdict(CAUTION, message, advice.loss_too_high(state))


class Underfit(EvalRule):
    """Both losses are high, and level over the last third of the steps so far.

    A run whose gradients are too high, or whose losses part or rise, has another illness.
    """

    name = "underfit"

    def diagnose(self, state: HealthState) -> Verdict | None:
        last, limit = state.evaluated.last, state.settings.loss_high
        if advice.lowering(state) or not state.first_epoch_over or not state.kind.per_token:
            return None
        if last is None or last.level is None or min(last.loss, last.level) <= limit:
            return None
        before = _third_ago(state, last)
        if before is None or before.level is None:
            return None
        flat = -state.settings.flat_change
        if min(change(before.loss, last.loss), change(before.level, last.level)) <= flat:
            return None
        message = (
            f"eval loss {figure(last.loss)} and train loss {figure(last.level)} are above {limit:g}, and fell"
            f" by less than {percent(-flat)} since step {before.step:,}"
        )
        return Verdict(CAUTION, message, advice.underfitting(state))


def _third_ago(state: HealthState, last: Point) -> Point | None:
    """The newest eval that is at least a third of the steps back."""
    points = (evals.last for evals in reversed(state.evals))
    return next((point for point in points if point and 3 * point.step <= 2 * last.step), None)
