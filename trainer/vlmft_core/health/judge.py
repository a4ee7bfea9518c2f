"""Health judge: all rules over one log, fed record by record or many at once."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from dataclasses import replace
from typing import Any, Literal

from vlmft_core.health.diagnosis import Diagnosis, diagnoses
from vlmft_core.health.finding import Finding
from vlmft_core.health.health_state import HealthState
from vlmft_core.health.rule import Rule, Verdict
from vlmft_core.health.rules import RULES
from vlmft_core.health.rules.gradient import GradHigh
from vlmft_core.health.stretch import FEWEST, Stretch, parts, stretches
from vlmft_core.health.thresholds import Settings, Thresholds
from vlmft_core.run_folder.batch import Batch
from vlmft_core.run_folder.events import CHECKPOINT, EVAL, NOTE, PLAN, RUN_END, RUN_START, STEP, Record

KEPT = 20
"""Findings of each rule at most: after that a rule that fires again raises its last one anew."""


class Health:
    """The findings of a log: a pure function of the records fed so far, in whatever pieces they come.

    Takes any record that `events.parse` accepts. Memory is bounded; `copy.deepcopy` is cheap.

    Args:
        settings: thresholds; by default those of the published recipe.
    """

    def __init__(self, settings: Settings | None = None) -> None:
        self.settings = settings or Thresholds()
        self.findings: list[Finding] = []
        """All that were raised, in that order, each at the index that is its number; an update takes its place."""
        self._state = HealthState(self.settings)
        self._use([rule(self.settings) for rule in RULES])
        self._active: dict[str, Finding] = {}

    def _use(self, rules: list[Rule]) -> None:
        self._rules = rules
        # A rule that does not look at steps is not asked at each of them.
        self._at_step = [(rule, rule.on_step) for rule in rules if type(rule).on_step is not Rule.on_step]
        self._at_other = [rule for rule in rules if type(rule).on_other is not Rule.on_other]
        self._after_others = [rule for rule in rules if rule.after_others]
        self._at_stretch = [rule for rule in rules if type(rule).quiet is not Rule.quiet]

    @property
    def active(self) -> list[Finding]:
        """The findings that hold now, in the order raised."""
        return [finding for finding in self.findings if finding.resolved is None]

    @property
    def diagnoses(self) -> list[Diagnosis]:
        """What these come to: one for each cause, the gravest first."""
        return diagnoses(self.active, self._state)

    @property
    def unit(self) -> Literal["step", "record"]:
        """What a finding's step counts: `step`, or `record` for a log that names no steps."""
        return self._state.unit

    @property
    def unjudged(self) -> str:
        """Why the eval losses get no verdict; empty where they do."""
        return self._state.unjudged

    @property
    def gradient_limit(self) -> float | None:
        """The median over a window from which `grad_high` finds a gradient norm too high; None while it does not know
        what is usual for this run."""
        return next(rule.limit(self.settings) for rule in self._rules if isinstance(rule, GradHigh))

    def feed(self, record: Record) -> list[Finding]:
        """Take in one record.

        Returns:
            The findings that it raised, updated or resolved, as they are now.
        """
        event, state = record["event"], self._state
        if event == STEP:
            changed = self._again(record["step"]) if record["step"] <= state.step else []
            if changed is None:
                return []
            state.take_step(record)
            for rule, on_step in self._at_step:
                if on_step(record, state):
                    changed += self._settle([rule])
            return changed
        if event == RUN_START:
            return self._start(record)
        if event == PLAN:
            state.take_plan(record)
            for rule in self._rules:
                rule.on_plan(state)
        elif event == CHECKPOINT:
            kept = record.get("kept")
            steps = kept if isinstance(kept, list) else [record["step"]]
            state.checkpoints = tuple(step for step in steps if type(step) is int)
        elif event == RUN_END:
            state.ended = True
            for rule in self._at_other:
                rule.on_other(record, state)
            return self._settle(self._rules)
        elif event == NOTE:
            state.take_note(record)
        elif event == EVAL and state.take_eval(record):
            return self._settle([rule for rule in self._rules if rule.on_eval(record, state)])
        return self._settle([rule for rule in self._at_other if rule.on_other(record, state)])

    def feed_all(self, records: Sequence[Record]) -> list[tuple[int, list[Finding]]]:
        """Take in many records: as `feed` one by one, several times as fast where nothing is found.

        Returns:
            What `feed` would have returned for each, with its index; left out where that is nothing.
        """
        changes = []
        batch = Batch.of(records)
        for start, stop in stretches(batch):
            if self._skip(batch, start, stop):
                continue
            for first, end in parts(start, stop):
                if self._skip(batch, first, end):
                    continue
                for index in range(first, end):
                    if changed := self.feed(batch[index]):
                        changes.append((index, changed))
        return changes

    def _skip(self, batch: Batch, start: int, stop: int) -> bool:
        """Take in records among which nothing turns, unless a rule might want to be asked, or they are few: then do
        nothing."""
        if stop - start < FEWEST:
            return False
        stretch, state = Stretch(batch, start, stop), self._state
        if not stretch.follows(state.step) or not all(rule.quiet(stretch, state) for rule in self._at_stretch):
            return False
        for rule in self._at_stretch:
            rule.skip(stretch, state)
        state.take_stretch(stretch)
        return True

    def _again(self, step: int) -> list[Finding] | None:
        """A step that is not later than the last: a log that goes back, or None for one that says a step twice."""
        return None if step == self._state.step else self._rewind(step - 1)

    def _start(self, record: Record) -> list[Finding]:
        """A segment begins: the steps after the one resumed from are made anew."""
        self._state.take_start(record)
        resumed = record.get("resumed_from")
        changed = self._rewind(resumed if type(resumed) is int else -1)
        return changed + self._settle([rule for rule in self._at_other if rule.on_other(record, self._state)])

    def _rewind(self, step: int) -> list[Finding]:
        self._state.rewind(step)
        for rule in self._rules:
            rule.rewind()
        return self._settle(self._rules)

    def _settle(self, due: list[Rule]) -> list[Finding]:
        """Ask the rules, and bring the findings to what they say."""
        changed = self._ask(due)
        if changed:  # some rules look at which of the others hold
            changed += self._ask([rule for rule in self._after_others if rule not in due])
        return changed

    def _ask(self, due: list[Rule]) -> list[Finding]:
        changed = []
        for rule in due:
            verdict, before = self._worded(rule.diagnose(self._state)), self._active.get(rule.name)
            if verdict is not None and before is None:
                changed.append(self._raise(rule.name, verdict))
            elif (
                verdict is not None
                and before is not None
                and verdict != (before.severity, before.message, before.advice)
            ):
                changed.append(self._update(before, seen=self._state.at, **verdict._asdict()))
            elif verdict is None and before is not None:
                changed.append(self._update(before, resolved=self._state.at))
                del self._active[rule.name]
                self._hold()
        return changed

    def _worded(self, verdict: Verdict | None) -> Verdict | None:
        if verdict is None or self.unit == "step":
            return verdict
        advice = replace(verdict.advice, text=self._state.worded(verdict.advice.text))
        return Verdict(verdict.severity, self._state.worded(verdict.message), advice)

    def _raise(self, rule: str, verdict: Verdict) -> Finding:
        step, epoch, (severity, message, advice) = self._state.at, self._state.epoch, verdict
        earlier = [finding.number for finding in self.findings if finding.rule == rule]
        again = len(earlier) >= KEPT
        number = earlier[-1] if again else len(self.findings)
        finding = Finding(rule, number, severity, step, epoch, message, advice, seen=step)
        self._active[rule] = finding
        self._hold()
        self.findings[number : number + 1] = [finding]
        return finding

    def _update(self, before: Finding, **values: Any) -> Finding:
        finding = replace(before, **values)
        self._active[before.rule] = self.findings[before.number] = finding
        self._hold()
        return finding

    def _hold(self) -> None:
        self._state.holding = {name: finding.severity for name, finding in self._active.items()}

    def __getstate__(self) -> dict[str, Any]:
        asked = ("_at_step", "_at_other", "_after_others", "_at_stretch")
        return {name: value for name, value in vars(self).items() if name not in asked}

    def __setstate__(self, kept: dict[str, Any]) -> None:
        vars(self).update(kept)
        self._use(self._rules)

    def __deepcopy__(self, memo: dict[int, Any]) -> Health:
        twin = copy.copy(self)
        twin.findings, twin._active = self.findings.copy(), self._active.copy()
        twin._state = copy.deepcopy(self._state, memo)
        twin._use([copy.deepcopy(rule, memo) for rule in self._rules])
        return twin
