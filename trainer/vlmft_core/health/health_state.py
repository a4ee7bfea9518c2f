"""Health state, which all rules look at: plan, preset, steps and evals so far. Bounded, however long the log."""

from __future__ import annotations

import copy
import re
from collections import deque
from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Literal

from vlmft_core.health.evals import Evals
from vlmft_core.health.figures import TINY, number
from vlmft_core.health.finding import STOP, Severity
from vlmft_core.health.loss_kind import LOOKED_AT, LossKind
from vlmft_core.health.stretch import Stretch
from vlmft_core.health.thresholds import Settings
from vlmft_core.run_folder.events import Record

KEPT_EVALS = 256
"""Evals that a resume can take back, and over which flat losses are looked for."""


_STEP = re.compile(r"\bstep (?=\d)")


class HealthState:
    """A log so far. A resume takes it back to the step resumed from: what is made anew does not count twice."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.plan: Record = {}
        self.preset: Mapping[str, Any] = {}
        """As `run_start` has it; empty for logs of other programs."""
        self.checkpoints: tuple[int, ...] = ()
        """Steps whose checkpoints are on disk."""
        self.step = -1
        """Of the newest `step` event; -1 before the first."""
        self.epoch: float | None = None
        self.peak_lr = 0.0
        """Highest learning rate logged."""
        self.losses: deque[float] = deque(maxlen=settings.window)
        """Train losses of the last logged steps."""
        self.since_eval = 0
        """Train losses since the last eval."""
        self.evals: deque[Evals] = deque(maxlen=KEPT_EVALS)
        self.holding: Mapping[str, Severity] = {}
        """The rules that hold now, and how bad it is."""
        self.logged = 0
        """`step` events since the start, or since the segment began."""
        self.odd_count = 0
        """Those among them whose loss or gradient was not finite."""
        self.odd_first = self.odd_last = -1
        """Their first and last step."""
        self.odd_epoch: float | None = None
        self.odd_rate: float | None = None
        """Epoch and learning rate of the first."""
        self.kind = LossKind()
        """What the losses are."""
        self._unknown = LOOKED_AT
        """Steps that are still looked at for it."""
        self.best_metric: Mapping[str, Any] = {}
        """The metric by which the run itself chooses its best: `name`, `value` and `step`, where the log tells it."""
        self.ended = False
        """The log has told the run's end."""
        self.unit: Literal["step", "record"] = "step"
        """What is counted: steps, or records of a log that names no steps."""

    @property
    def at(self) -> int:
        """The newest step of any kind; 0 before the first. Some logs tell an eval before the steps that led to it."""
        return max(0, self.step, self.evaluated.step)

    @property
    def evaluated(self) -> Evals:
        """The evals up to the newest."""
        return self.evals[-1] if self.evals else Evals()

    def take_start(self, record: Record) -> None:
        """A `run_start` event."""
        preset = record.get("preset")
        self.preset = preset if isinstance(preset, Mapping) else {}
        if type(record.get("resumed_from")) is not int:
            self.kind, self._unknown = LossKind(own=bool(self.preset)), LOOKED_AT
        self._take_best_metric(record)

    def take_note(self, record: Record) -> None:
        """A `note` event: it may say that steps are not named, so that training records are counted."""
        if record.get("counted") == "records":
            self.unit = "record"

    def worded(self, text: str) -> str:
        """What a rule says, with what is counted in place of steps."""
        return text if self.unit == "step" else _STEP.sub(f"{self.unit} ", text)

    def take_plan(self, record: Record) -> None:
        """A `plan` event."""
        self.plan = record
        self._take_best_metric(record)

    def _take_best_metric(self, record: Record) -> None:
        found = record.get("best_metric")
        if isinstance(found, Mapping):
            self.best_metric = found

    def take_step(self, record: Record) -> None:
        """One `step` event, of a later step than the last."""
        self.step = record["step"]
        self.epoch = record["epoch"]
        self.logged += 1
        loss, rate = record["loss"], record["lr"]
        if "nonfinite" in record:
            self._take_odd(record)
        if self._unknown:
            self._learn(record)
        if loss is not None:
            self.losses.append(loss)
            self.since_eval += 1
        if rate is not None and rate > self.peak_lr:
            self.peak_lr = rate

    def _learn(self, record: Record) -> None:
        """What the loss is, from the first steps of a log."""
        self.kind = self.kind.after_metrics(record.get("metrics"))
        if self.kind.first is None and record["loss"] is not None:
            self.kind = replace(self.kind, first=record["loss"])
        self._unknown -= 1

    def _take_odd(self, record: Record) -> None:
        named = record["nonfinite"]
        if not isinstance(named, list) or not any(
            name in named and record[name] is None for name in ("loss", "grad_norm")
        ):
            return
        if not self.odd_count:
            self.odd_first, self.odd_epoch, self.odd_rate = self.step, number(record["epoch"]), number(record["lr"])
        self.odd_count += 1
        self.odd_last = self.step

    def take_stretch(self, stretch: Stretch) -> None:
        """All of its `step` events."""
        self.step, self.epoch = stretch.steps[-1], stretch.epochs[-1]
        self.logged += len(stretch.steps)
        for record in stretch.records(self._unknown):
            self._learn(record)
        self.losses.extend(stretch.losses)
        self.since_eval += len(stretch.losses)
        self.peak_lr = max(self.peak_lr, max(stretch.rates))

    def take_eval(self, record: Record) -> bool:
        """One `eval` event.

        Returns:
            False for one that tells nothing new: the answers at a run's end repeat the figures of the best step.
        """
        before = self.evaluated
        if before.repeats(record):
            return False
        now = before.next(record, list(self.losses), self.since_eval, self.settings)
        self.evals.append(now)
        self.since_eval = 0
        self.kind = self.kind.after_metrics(record.get("metrics"))
        if record["eval_loss"] is not None and now.last is not None:
            self.kind = self.kind.after_eval(now.last.loss, now.last.level)
        # One whose step had to be counted stands at that of the steps before it, and may tell a later epoch.
        if record["step"] > self.step or (record["step"] == self.step and record["epoch"] is not None):
            self.epoch = record["epoch"]
        return True

    def rewind(self, step: int) -> None:
        """Forget what came after `step`."""
        while self.evals and self.evals[-1].step > step:
            self.evals.pop()
        self.losses.clear()
        self.since_eval = 0
        self.step, self.epoch, self.ended = step, None, False
        self.logged = self.odd_count = 0
        self.odd_first = self.odd_last = -1
        self.odd_epoch = self.odd_rate = None

    def setting(self, section: str, key: str) -> Any:
        """A value of the run's preset; None where it is not known."""
        values = self.preset.get(section)
        return values.get(key) if isinstance(values, Mapping) else None

    @property
    def rate(self) -> float | None:
        """The run's peak learning rate: planned, else the highest logged."""
        known = (self.setting("training", "learning_rate"), self.plan.get("peak_lr"), self.peak_lr)
        return next((rate for rate in map(number, known) if rate is not None and rate > 0), None)

    @property
    def seen_once(self) -> bool:
        """Whether no sample can have been seen twice yet; False where the log tells no epochs."""
        epoch = self.evaluated.epoch if self.epoch is None else self.epoch
        if epoch is not None:
            return epoch < 1
        steps = number(self.plan.get("steps_per_epoch"))
        return steps is not None and self.step < steps

    @property
    def over(self) -> bool:
        """Whether no further eval is to come: the log says so, or has come to the last step of the plan."""
        total = number(self.plan.get("total_steps"))
        return self.ended or (total is not None and self.at >= total > 0)

    @property
    def broken(self) -> bool:
        """Whether numbers are not finite any more, or the train loss exploded: no other cure is of use then."""
        return STOP in (self.holding.get("non_finite"), self.holding.get("loss_exploded"))

    @property
    def unjudged(self) -> str:
        """Why the eval losses are not judged; empty where they are."""
        last = self.evaluated.last
        if last is None or self.kind.unjudged:
            return self.kind.unjudged if last is not None else ""
        best = self.evaluated.best
        near_zero = best is not None and max(abs(best.loss), abs(last.loss)) < TINY
        return f"the eval loss is below {TINY:g}: changes of so small a loss say nothing" if near_zero else ""

    @property
    def own_best(self) -> str:
        """The run's own metric, if that is not the eval loss and was never better than at the newest eval."""
        evals, own = self.evaluated, self.best_metric
        name, step = own.get("name"), own.get("step")
        if isinstance(name, str) and type(step) is int and "loss" not in name:
            return name[:60] if step >= evals.step else ""
        if self.setting("evaluation", "metric_for_best_model") == "token_accuracy":
            best = [one for one in evals.accuracies if one.name == "token accuracy" and one.best_step == evals.step]
            return "token accuracy" if best else ""
        return ""

    @property
    def first_epoch_over(self) -> bool:
        """Whether it is, by the log's own epoch, else by the plan; False where neither tells."""
        if self.epoch is not None:
            return self.epoch >= 1
        steps = number(self.plan.get("steps_per_epoch"))
        return steps is not None and self.step > steps > 0

    def __deepcopy__(self, memo: dict[int, Any]) -> HealthState:
        twin = copy.copy(self)
        twin.losses, twin.evals = self.losses.copy(), self.evals.copy()  # of numbers and of things that never change
        return twin
