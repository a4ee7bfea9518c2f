"""Accuracy rule: `accuracy_falling`."""

from __future__ import annotations

from vlmft_core.health import advice
from vlmft_core.health.finding import CAUTION, STOP
from vlmft_core.health.health_state import HealthState
from vlmft_core.health.rule import Rule, Verdict, percent
from vlmft_core.run_folder.events import Record

AT_BEST = 1.5
"""Standard deviations more that a fall takes while the eval loss is at its best, which speaks against it."""


class AccuracyFalling(Rule):
    """Token or task accuracy stays below its best by more than chance. While the eval loss is at its best that is no
    more than a caution."""

    name = "accuracy_falling"
    after_others = True

    def on_eval(self, record: Record, state: HealthState) -> bool:
        return True

    def diagnose(self, state: HealthState) -> Verdict | None:
        evals, settings = state.evaluated, state.settings
        at_best = evals.last is not None and evals.off <= settings.min_rise
        more = AT_BEST if at_best else 0.0
        fallen = [one for one in evals.accuracies if one.below >= settings.accuracy_caution and one.fallen(more)]
        worst = max(fallen, key=lambda one: one.below, default=None)
        if worst is None:
            return None
        message = (
            f"{worst.name} {percent(worst.value)} is below its best {percent(worst.best)} of step {worst.best_step:,}"
            f" for {worst.below} evals in a row"
        )
        left_best = evals.last is None or (not at_best and evals.risen())
        stop = worst.below >= settings.accuracy_stop and left_best and not state.own_best
        return Verdict(STOP if stop else CAUTION, message, advice.overfitting(state))
