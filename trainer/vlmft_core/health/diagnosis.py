"""Diagnosis of a run: the findings that hold, brought together by their cause, with one sentence and one advice."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from vlmft_core.figures import figure
from vlmft_core.health import advice
from vlmft_core.health.finding import STOP, Advice, Finding, Severity
from vlmft_core.health.health_state import HealthState

DIVERGED = "diverged"
OVERFITTING = "overfitting"
NOT_LEARNING = "not learning"
NO_BETTER = "no better answers"
OFF_SCHEDULE = "off schedule"
STALLED = "stalled"
SLOW_DATA = "slow data"

CAUSES = {
    "non_finite": DIVERGED,
    "loss_exploded": DIVERGED,
    "grad_high": DIVERGED,
    "eval_off_best": OVERFITTING,
    "eval_rising": OVERFITTING,
    "accuracy_falling": OVERFITTING,
    "gap": OVERFITTING,
    "plateau": OVERFITTING,
    "loss_high": NOT_LEARNING,
    "underfit": NOT_LEARNING,
    "answers_no_better": NO_BETTER,
    "lr_off_schedule": OFF_SCHEDULE,
    "stalled": STALLED,
    "slow_data": SLOW_DATA,
}
"""What each rule of the table is a sign of; within a cause, the rule that says most comes first."""
_ORDER = {rule: place for place, rule in enumerate(CAUSES)}
_OF_THEIR_OWN = frozenset({STALLED, SLOW_DATA})
"""Causes that a divergence does not explain."""


@dataclass(frozen=True)
class Diagnosis:
    """What is wrong with a run, and since when."""

    cause: str
    severity: Severity
    """The worst of its findings'."""
    step: int
    """Since when."""
    epoch: float | None
    """The same in epochs, where the log tells."""
    sentence: str
    evidence: tuple[str, ...]
    """What the findings say, the one that says most first; empty where that is the sentence itself."""
    advice: Advice
    rules: tuple[str, ...]
    """Whose findings these are, in the same order."""


def diagnoses(findings: Sequence[Finding], state: HealthState) -> list[Diagnosis]:
    """One diagnosis for each cause, the gravest first; none for a run with nothing to complain about.

    A run that has diverged has one: whatever else its losses, gradients and rates show follows from that, and a cure
    for anything else would mislead.

    Args:
        findings: those that hold.
        state: of the same moment.
    """
    broken = any(CAUSES[one.rule] == DIVERGED and one.severity == STOP for one in findings)
    groups: dict[str, list[Finding]] = {}
    for one in sorted(findings, key=lambda one: (one.severity != STOP, _ORDER[one.rule])):
        cause = CAUSES[one.rule]
        groups.setdefault(DIVERGED if broken and cause not in _OF_THEIR_OWN else cause, []).append(one)
    causes = [*dict.fromkeys(CAUSES.values())]
    found = [_diagnosis(cause, group, state) for cause, group in groups.items()]
    return sorted(found, key=lambda one: (one.severity != STOP, causes.index(one.cause)))


def _diagnosis(cause: str, group: list[Finding], state: HealthState) -> Diagnosis:
    if cause == DIVERGED:
        group = sorted(group, key=lambda one: _ORDER[one.rule])
    first = group[0]
    step, epoch, sentence = first.step, first.epoch, first.message
    best = state.evaluated.best
    if first.rule == "non_finite" and first.severity == STOP and state.odd_count:
        step, epoch = state.odd_first, state.odd_epoch
        sentence = _diverged(state)
    elif best is not None and first.rule in ("eval_off_best", "eval_rising"):
        step, epoch = best.step, best.epoch
        sentence = _overfits(first, state)
    sentence = state.worded(sentence)
    evidence = tuple(one.message for one in group)
    return Diagnosis(
        cause=cause,
        severity=STOP if any(one.severity == STOP for one in group) else first.severity,
        step=step,
        epoch=epoch,
        sentence=sentence,
        evidence=() if evidence == (sentence,) else evidence,
        advice=first.advice,
        rules=tuple(one.rule for one in group),
    )


def _diverged(state: HealthState) -> str:
    ended = "" if state.odd_last < state.step else ", never recovered"
    return (
        f"diverged at step {state.odd_first:,}: {state.odd_count:,} of {state.logged:,} logged steps not finite{ended}"
    )


def _overfits(finding: Finding, state: HealthState) -> str:
    evals, total = state.evaluated, advice.epochs_planned(state)
    best, last = evals.best, evals.last
    assert best is not None  # a finding about evals was raised
    assert last is not None
    place = f"step {best.step:,}" if best.step > 0 else f"epoch {best.epoch:.3g}" if best.epoch else "the first eval"
    if best.epoch is not None and best.step > 0:
        known = total is not None and total >= (last.epoch or 0)
        place += f" (epoch {best.epoch:.3g}" + (f" of {total:.3g})" if known else ")")
    if state.own_best:
        return f"the eval loss has risen since {place}, while {state.own_best}, the run's own metric, is at its best"
    both = best.level is not None and last.level is not None and last.level > best.level
    word = "gets worse" if both else "overfits" if finding.severity == STOP else "may overfit"
    return f"{word} since {place}: eval loss {figure(best.loss)} -> {figure(last.loss)} ({100 * evals.off:+.1f} %)" + (
        f", train loss {figure(best.level)} -> {figure(last.level)}"
        if best.level is not None and last.level is not None
        else ""
    )
