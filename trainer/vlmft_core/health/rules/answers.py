"""Answers rule: `answers_no_better`."""

from __future__ import annotations

from collections.abc import Mapping

from vlmft_core.health import advice
from vlmft_core.health.finding import CAUTION
from vlmft_core.health.health_state import HealthState
from vlmft_core.health.rule import Rule, Verdict
from vlmft_core.health.thresholds import Settings
from vlmft_core.run_folder.events import EVAL, Record
from vlmft_core.scoring.chance import FEW_QUESTIONS, Paired
from vlmft_core.scoring.metrics import HEADLINE


class AnswersNoBetter(Rule):
    """At its end the tuned model answers the eval questions no better than its base, or some task's surely worse. Told
    by the questions on which they differ, where the run has held them against each other."""

    name = "answers_no_better"
    after_others = True

    def __init__(self, settings: Settings) -> None:
        self._tasks: tuple[tuple[str, Paired], ...] = ()

    def on_eval(self, record: Record, state: HealthState) -> bool:
        return self._take(record)

    def on_other(self, record: Record, state: HealthState) -> bool:
        return record["event"] == EVAL and self._take(record)

    def _take(self, record: Record) -> bool:
        found = record.get("against_base")
        values = found if isinstance(found, Mapping) else {}
        pairs = ((task, Paired.read(values.get(task))) for task in HEADLINE)
        before, self._tasks = self._tasks, tuple((task, pair) for task, pair in pairs if pair)
        return self._tasks != before

    def rewind(self) -> None:
        self._tasks = ()

    def diagnose(self, state: HealthState) -> Verdict | None:
        gained = any(pair.sure and pair.gain > 0 for _, pair in self._tasks)
        lost = [(task, pair) for task, pair in self._tasks if pair.sure and pair.gain < 0]
        shown = lost or ([] if gained else self._tasks)
        if not shown:
            return None
        told = "; ".join(f"{task} {100 * pair.gain:+.1f} points ({pair.says})" for task, pair in shown)
        message = f"the tuned model answers {'worse' if lost else 'no better'} than its base: {told}"
        few = not lost and all(pair.questions < FEW_QUESTIONS for _, pair in shown)
        return Verdict(CAUTION, message, advice.answers_no_better(state, few=few))
