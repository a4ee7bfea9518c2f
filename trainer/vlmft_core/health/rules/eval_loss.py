"""Eval loss rules, for overfitting and its signs: `eval_rising`, `eval_off_best`, `gap`, `plateau`."""

from __future__ import annotations

from vlmft_core.health import advice
from vlmft_core.health.finding import CAUTION, STOP
from vlmft_core.health.health_state import HealthState
from vlmft_core.health.rule import Diagnosis, Rule, percent
from vlmft_core.run_folder.events import Record


class EvalRule(Rule):
    """Judges after each eval."""

    def on_eval(self, record: Record, state: HealthState) -> bool:
        return True


class EvalRising(EvalRule):
    """The eval loss rose several times in a row, and has not come back since.

    Rises alone are a poor judge: noisy runs have them and end at their best. A stop takes more than `min_rise` above
    the best, and more than this run has come back from before.
    """

    name = "eval_rising"

    def diagnose(self, state: HealthState) -> Diagnosis | None:
        evals, settings = state.evaluated, state.settings
        if not evals.rising or evals.best is None or evals.last is None:
            return None
        rose = f"rose {evals.rises} evals in a row, to" if evals.rises >= settings.rises else "rose, and is"
        message = (
            f"eval loss {rose} {evals.last.loss:.4g}, {percent(evals.off)} above its best"
            f" {evals.best.loss:.4g} at step {evals.best.step:,}"
        )
        severity = STOP if evals.beyond(settings.min_rise, settings) else CAUTION
        return Diagnosis(severity, message, advice.overfitting(state))


class EvalOffBest(EvalRule):
    """The eval loss is far above its best. A stop takes a train loss that has fallen since: the two part."""

    name = "eval_off_best"

    def diagnose(self, state: HealthState) -> Diagnosis | None:
        evals, settings = state.evaluated, state.settings
        best, last = evals.best, evals.last
        if best is None or last is None or evals.off <= settings.off_best_caution:
            return None
        message = (
            f"eval loss {last.loss:.4g} is {percent(evals.off)} above its best {best.loss:.4g} at step {best.step:,}"
        )
        if best.level is not None and last.level is not None:
            message += f"; train loss went from {best.level:.4g} to {last.level:.4g}"
            if last.level > best.level:
                look = "Both losses rise: look at the data of these steps."
                return Diagnosis(CAUTION, message, advice.diverging(state, look))
        parted = last.parted(best, settings.train_fall) and evals.beyond(settings.off_best_stop, settings)
        return Diagnosis(STOP if parted else CAUTION, message, advice.overfitting(state))


class Gap(EvalRule):
    """The eval loss is far above the train loss. A stop takes an eval loss that also left its best."""

    name = "gap"

    def diagnose(self, state: HealthState) -> Diagnosis | None:
        evals, settings = state.evaluated, state.settings
        last = evals.last
        if last is None or last.level is None or last.loss - last.level <= settings.gap_caution:
            return None
        gap = last.loss - last.level
        message = f"eval loss {last.loss:.4g} is {gap:.3g} above the train loss {last.level:.4g}"
        stop = gap > settings.gap_stop and evals.beyond(settings.min_rise, settings)
        return Diagnosis(STOP if stop else CAUTION, message, advice.overfitting(state))


class Plateau(EvalRule):
    """The eval loss is level while the train loss still falls."""

    name = "plateau"

    def diagnose(self, state: HealthState) -> Diagnosis | None:
        evals, settings = state.evaluated, state.settings
        mark, last = evals.mark, evals.last
        if mark is None or last is None or evals.stale < settings.plateau_evals:
            return None
        if evals.off > settings.off_best_caution or not last.parted(mark, settings.train_fall):
            return None
        message = (
            f"eval loss has not improved on {mark.loss:.4g} for {evals.stale} evals,"
            f" while train loss fell from {mark.level:.4g} to {last.level:.4g}"
        )
        return Diagnosis(CAUTION, message, advice.watching(state))
