"""Accuracy rule: `accuracy_falling`."""

from __future__ import annotations

from vlmft_core.health import advice
from vlmft_core.health.finding import CAUTION, STOP
from vlmft_core.health.health_state import HealthState
from vlmft_core.health.rule import Diagnosis, Rule
from vlmft_core.run_folder.events import Record


class AccuracyFalling(Rule):
    """Token or task accuracy stays below its best. While the eval loss is at its best that is no more than a caution:
    with a few hundred questions a point of accuracy is chance."""

    name = "accuracy_falling"

    def on_eval(self, record: Record, state: HealthState) -> bool:
        return True

    def diagnose(self, state: HealthState) -> Diagnosis | None:
        evals, settings = state.evaluated, state.settings
        worst = max(evals.accuracies, key=lambda one: one.below, default=None)
        if worst is None or worst.below < settings.accuracy_caution:
            return None
        message = (
            f"{worst.name} {worst.value:.1%} is below its best {worst.best:.1%} of step {worst.best_step:,}"
            f" for {worst.below} evals in a row"
        )
        left_best = evals.last is None or evals.beyond(settings.min_rise, settings)
        stop = worst.below >= settings.accuracy_stop and left_best
        return Diagnosis(STOP if stop else CAUTION, message, advice.overfitting(state))
