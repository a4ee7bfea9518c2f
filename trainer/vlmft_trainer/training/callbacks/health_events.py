"""`health` events: the run is judged while it goes, and ended early where a rule asks for that."""

from __future__ import annotations

import threading
from collections import deque
from typing import Any

from transformers import TrainerCallback

from vlmft_core.health import STOP, Finding, Health
from vlmft_core.preset.monitor_schema import Monitor
from vlmft_core.run_folder.events import HEALTH, RUN_END, Record
from vlmft_core.run_folder.layout import RunLayout
from vlmft_core.run_folder.segments import records
from vlmft_trainer.distributed import ranks
from vlmft_trainer.training.run_log import RunLog

OK = "ok"
"""Severity of a finding that no longer holds."""
OTHERS = frozenset({"stalled"})
"""Rules that never end a run: the program that can act on them is alive again."""


class HealthEvents(TrainerCallback):  # type: ignore[misc]
    """Feeds the health rules with exactly the records that rank 0 writes, and writes what they find.

    A finding is written when it is raised, when its severity changes and when it no longer holds. The segments before
    a resume are fed first, silently: what they found has been told. With `early_stop: auto` a finding that becomes
    `stop` ends the training on all ranks at the same step, with a complete checkpoint.

    Args:
        log: whose records are judged.
        run: whose log that is.
        settings: the preset's `monitor` section.
    """

    def __init__(self, log: RunLog, run: RunLayout, settings: Monitor) -> None:
        self._log = log
        self._auto = settings.early_stop == "auto"
        self._health = Health(settings)
        self._taken: deque[Record] = deque()
        self._told: dict[int, str] = {}
        """Severity last written of the findings that hold, by number."""
        self._lock = threading.RLock()
        self._judging = False
        self.reason = ""
        """Why the run ends early; empty while it does not. Only rank 0 knows."""
        self.stopped = False
        """All ranks know that the run ends early."""
        if settings.early_stop != "off" and log.watch(self):
            *earlier, own = run.segments
            for record in records(earlier):
                self._feed(record, tell=False)
            self._taken.extend(records([own]))
            self.judge()

    def take(self, record: Record) -> None:
        if record["event"] != RUN_END:  # the last record of a segment: nothing is told after it
            self._taken.append(record)

    def judge(self) -> None:
        """Feed what was taken. The main thread and the heartbeat's may call it at the same time."""
        with self._lock:
            if self._judging:  # by writing a finding
                return
            self._judging = True
            try:
                while self._taken:
                    self._feed(self._taken.popleft(), tell=True)
            finally:
                self._judging = False

    def _feed(self, record: Record, *, tell: bool) -> None:
        for finding in self._health.feed(record):
            severity = finding.severity if finding.active else OK
            if self._told.get(finding.number) == severity:
                continue
            self._told[finding.number] = severity
            if not finding.active:
                del self._told[finding.number]
            if tell:
                self._tell(finding, severity)

    def _tell(self, finding: Finding, severity: str) -> None:
        self._log.write(
            HEALTH,
            rule=finding.rule,
            severity=severity,
            step=finding.seen if finding.resolved is None else finding.resolved,
            message=finding.message,
            advice=finding.advice.text if finding.active else "",
        )
        self._log.say(f"health: {finding.rule} {severity}: {finding.message}")
        if self._auto and severity == STOP and finding.rule not in OTHERS and not self.reason:
            self.reason = f"{finding.rule}: {finding.message}"

    def on_log(self, args: Any, state: Any, control: Any, logs: dict[str, Any], **kwargs: Any) -> None:
        if "loss" in logs:  # a step has just been judged
            self._end_if_asked(state, control)

    def on_evaluate(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        self._end_if_asked(state, control)

    def _end_if_asked(self, state: Any, control: Any) -> None:
        """Every rank calls it. A rank that ended alone would leave the others waiting for it."""
        if not self._auto or state.global_step >= state.max_steps:  # the last step is no early end
            return
        self.stopped = self.stopped or ranks.any_rank(bool(self.reason))
        if self.stopped:
            control.should_evaluate = False
            control.should_save = True
            control.should_training_stop = True
