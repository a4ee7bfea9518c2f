"""Eval loss rules, for overfitting and its signs: `eval_rising`, `eval_off_best`, `gap`, `plateau`."""

from __future__ import annotations

import math

from vlmft_core.figures import figure
from vlmft_core.health import advice
from vlmft_core.health.evals import Point
from vlmft_core.health.figures import change
from vlmft_core.health.finding import CAUTION, STOP
from vlmft_core.health.health_state import HealthState
from vlmft_core.health.rule import Rule, Verdict, percent
from vlmft_core.run_folder.events import Record

MEMORISED = 0.75
"""Fall of the train loss, as a share, of a training that learns its samples by heart: then a rise of the eval loss is
likely before one looks at its noise."""
ALONE = 2.2
"""A single eval counts from so many times `off_best_stop` while the noise is not known: from 36 % by default."""
RISING = 0.7
"""Standard deviations more than usual by which a rise must be no noise if it is short of `off_best_stop`."""


class EvalRule(Rule):
    """Judges after each eval."""

    after_others = True

    def on_eval(self, record: Record, state: HealthState) -> bool:
        return True


class EvalRising(EvalRule):
    """The eval loss rose several times in a row, and has not come back since.

    Rises alone are a poor judge: noisy runs have them and end at their best. A stop takes more than `min_rise` above
    the best, and more than the run's own scatter.
    """

    name = "eval_rising"

    def diagnose(self, state: HealthState) -> Verdict | None:
        evals, settings = state.evaluated, state.settings
        if not evals.rising or evals.best is None or evals.last is None or state.unjudged:
            return None
        rose = f"rose {evals.rises} evals in a row, to" if evals.rises >= settings.rises else "rose, and is"
        message = (
            f"eval loss {rose} {figure(evals.last.loss)}, {percent(evals.off)} above its best"
            f" {figure(evals.best.loss)} at step {evals.best.step:,}"
        )
        few = evals.scatter.few
        sure = evals.risen(more=0.0 if few else RISING) and not (few and state.seen_once)
        stop = evals.off > settings.min_rise and sure
        return _unless_tracked(state, stop, message)


class EvalOffBest(EvalRule):
    """The eval loss is far above its best, by more than its own scatter. A stop takes a train loss that has fallen
    since, so that the two part, or an eval loss that stays there."""

    name = "eval_off_best"

    def diagnose(self, state: HealthState) -> Verdict | None:
        evals, settings = state.evaluated, state.settings
        best, last = evals.best, evals.last
        if best is None or last is None or evals.off <= settings.off_best_caution or state.unjudged:
            return None
        stop = evals.off > settings.off_best_stop and _stays_off(state, best, last)
        within_noise = not evals.scatter.few and not evals.risen()
        if not stop and within_noise and evals.off <= 2 * settings.off_best_stop:
            return None
        message = (
            f"eval loss {figure(last.loss)} is {percent(evals.off)} above its best {figure(best.loss)}"
            f" at step {best.step:,}"
        )
        if best.level is not None and last.level is not None:
            message += f"; train loss went from {figure(best.level)} to {figure(last.level)}"
            if last.level > best.level:
                look = "Both losses rise: look at the data of these steps."
                return Verdict(STOP if stop else CAUTION, message, advice.diverging(state, look))
        return _unless_tracked(state, stop, message)


def _stays_off(state: HealthState, best: Point, last: Point) -> bool:
    """Whether an eval loss further than `off_best_stop` above its best is there to stay."""
    evals, settings = state.evaluated, state.settings
    share, parted = math.log1p(settings.off_best_stop), last.parted(best, settings.train_fall)
    if evals.scatter.lasting(share) and _memorised(best, last):
        return True
    if not evals.scatter.few:
        return evals.risen() and (parted or evals.scatter.twice(share))
    if not parted:
        return False
    # What is still to come will tell; where nothing is, this has to do.
    sure = (not evals.scatter.fewer and evals.risen()) or evals.scatter.clearly(share, ALONE * share)
    return state.over or (not state.seen_once and sure)


def _memorised(best: Point, last: Point) -> bool:
    """Whether the train loss has fallen since the best eval as it does where the samples are learned by heart."""
    return best.level is not None and last.level is not None and change(best.level, last.level) <= -MEMORISED


def _unless_tracked(state: HealthState, stop: bool, message: str) -> Verdict:
    """A stop, or a caution; no more than that while the run's own metric is at its best."""
    own = state.own_best
    if own:
        message += f"; but {own}, by which this run chooses its best, is at its best"
        return Verdict(CAUTION, message, advice.own_metric(state))
    return Verdict(STOP if stop else CAUTION, message, advice.overfitting(state))


class Gap(EvalRule):
    """The eval loss is far above the train loss. A stop takes an eval loss that also left its best."""

    name = "gap"

    def diagnose(self, state: HealthState) -> Verdict | None:
        evals, settings = state.evaluated, state.settings
        last = evals.last
        if last is None or last.level is None or last.loss - last.level <= settings.gap_caution:
            return None
        if state.unjudged or not state.kind.per_token:
            return None
        gap = last.loss - last.level
        message = f"eval loss {figure(last.loss)} is {figure(gap)} above the train loss {figure(last.level)}"
        left = evals.off > settings.min_rise and evals.risen() and not state.own_best
        return Verdict(STOP if gap > settings.gap_stop and left else CAUTION, message, advice.overfitting(state))


class Plateau(EvalRule):
    """The eval loss is level while the train loss still falls."""

    name = "plateau"

    def diagnose(self, state: HealthState) -> Verdict | None:
        evals, settings = state.evaluated, state.settings
        mark, last = evals.mark, evals.last
        if mark is None or last is None or evals.stale < settings.plateau_evals or state.unjudged:
            return None
        if evals.off > settings.off_best_caution or not last.parted(mark, settings.train_fall):
            return None
        message = (
            f"eval loss has not improved on {figure(mark.loss)} for {evals.stale} evals,"
            f" while train loss fell from {figure(mark.level)} to {figure(last.level)}"
        )
        return Verdict(CAUTION, message, advice.watching(state))
