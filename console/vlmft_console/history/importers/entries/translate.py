"""Translator: the metrics of other programs made records of our event log."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, Final

from vlmft_console.history.importers.entries.contents import Contents
from vlmft_console.history.importers.entries.course import Course
from vlmft_console.history.importers.entries.entry_layout import CLOCK, EvalName, Layout, Usual, layout_of
from vlmft_console.history.importers.entries.entry_values import (
    LARGEST,
    MORE_NAMES,
    OtherMetrics,
    eval_extras,
    first,
    of_split,
    place,
    step_extras,
)
from vlmft_console.history.importers.entries.metric_names import EVAL_LOSS, known, plain
from vlmft_console.history.importers.entries.missing import MissingValues
from vlmft_console.history.importers.entries.nulls import BLANKS, NULLS, Nulls
from vlmft_console.history.importers.entries.parsing import duration, number
from vlmft_console.history.importers.entries.repeats import Repeats
from vlmft_core.run_folder import events
from vlmft_core.run_folder.events import Record

_SETS: Final = 100
"""Eval sets that are told apart by name."""

SETS: Final = "evals of several sets: {} is judged, the others are metrics (--eval-set chooses another)"
NO_STEPS: Final = "this log names no steps: they are counted in the order of its training records"


class Translator:
    """Makes records from the metrics of one log, in order.

    `t` and `mono` are the log's own clock: unix time where it tells it, else the seconds since the start of the run,
    else 0 for `t` and no `mono`.

    Args:
        label: what `run_start` calls the run.
    """

    def __init__(self, label: str) -> None:
        self._label = label
        self._seq = 0
        self._segment = 0
        self._course = Course()
        self.total: int | None = None
        """Steps that the log promises."""
        self._ended = False
        self._counting = False
        self._repeats = Repeats()
        self._nulls = Nulls()
        self._missing = MissingValues()
        self._trained = False
        self._apart: tuple[float | None, float | None] | None = None
        """Rate and norm that the log told before the loss of their step, in an entry of their own."""
        self._apart_at: int | None = None
        """That step, where it was named."""
        self._sets_told = False
        self._loss_name: str | None = None
        self._eval_set: str | None = None
        self._eval_sets: dict[str, None] = {}
        self._of_training: set[str] = set()
        """Names that have told of entries that they are the training's."""
        self._others = OtherMetrics()
        self._more_told = False
        self.skipped = 0
        """Steps skipped so far for gradients that overflowed."""

    @property
    def named_steps(self) -> bool:
        """Whether the log itself has named a step."""
        return self._course.named

    def judge_set(self, name: str) -> None:
        """Take the evals of this set for those that are judged, not those of the first. Called before any entry.

        Args:
            name: the set's, or that of its loss: `chartqa`, `eval_chartqa_loss`; `eval_loss` is the unnamed one.
        """
        found = known(name)
        self._eval_set = found.eval_set if found and found.quantity == EVAL_LOSS else plain(name)

    def contents(self, else_holds: str = "") -> Contents:
        """What the log told so far."""
        return Contents(self._trained, tuple(self._eval_sets), self._eval_set, self._others.names, else_holds)

    def begin(self, resumed_from: int | None = None) -> Record:
        """A `run_start`; a log that holds several trainings has several.

        Args:
            resumed_from: the step after which the training goes on; None for one that begins anew.
        """
        self._segment += 1
        self._ended = False
        self._course.begin(resumed_from)
        self._repeats, self._nulls = Repeats(), Nulls()
        if resumed_from is None:
            self.skipped, self._loss_name, self._counting = 0, None, False
        fields = {"run_id": self._label, "segment": self._segment, "resumed_from": resumed_from}
        return self._record(events.RUN_START, None, **fields)

    def note(self, message: str) -> Record:
        return self._record(events.NOTE, None, message=message)

    def plan(
        self, total: int, steps_per_epoch: int, t: float | None = None, best_metric: Mapping[str, Any] | None = None
    ) -> Record:
        """A `plan` that promises the number of steps and no schedule: foreign logs do not tell theirs.

        Args:
            total: steps.
            steps_per_epoch: steps.
            t: when, on the log's clock.
            best_metric: what the run itself was judged by, where the log tells: `value`, `step` and `name`.
        """
        self.total = total
        fields: dict[str, Any] = {"total_steps": total, "steps_per_epoch": steps_per_epoch}
        if best_metric:
            fields["best_metric"] = best_metric
        return self._record(events.PLAN, t, **fields, warmup_steps=0, peak_lr=None)

    def end(self, status: str = events.FINISHED, reason: str = "", t: float | None = None) -> Record:
        self._ended = True
        return self._record(events.RUN_END, t, status=status, reason=reason)

    def take(self, values: Mapping[str, Any], t: float | None = None, *, row: bool = False) -> list[Record]:
        """The records that one entry of the log amounts to: a step, an eval, other metrics, the end of the run.

        An entry that repeats the one before, as two writers of one file make it, amounts to none.

        Args:
            values: by the log's own names, numbers as such or as they were spelled.
            t: when it was, on the log's clock.
            row: whether it is a row of a table or the like, which may have NaN where there is nothing to tell.

        Raises:
            ValueError: a value that matters is of the wrong type; then nothing of the entry is taken.
        """
        layout = layout_of(tuple(values))
        if layout.splits:
            values = of_split(values, layout.splits, self._of_training)
            layout = layout_of(tuple(values))
        if layout.usual and (usual := self._usual(layout, layout.usual, values, t)) is not None:
            return usual
        records: list[Record] = []
        whole = values
        if row and layout.losses:
            beside = layout.rate + layout.grad_norm
            values, said = self._missing.without(layout.losses, beside, values, self._loss_name)
            records += [self.note(said)] if said else []
        judged, eval_loss = self._judged_eval(layout.evals, values) if layout.evals else (None, None)
        names = layout.loss or tuple(name for name, part in layout.parts if part == self._eval_set)
        loss_name, loss = self._loss(names, values)
        lr, grad_norm = first(layout.rate, values), first(layout.grad_norm, values)
        epoch, (step, total) = first(layout.epoch, values), place(layout, values)
        if t is None and CLOCK in values:
            t = duration(values[CLOCK])
        if t is not None and not 0 <= t < LARGEST:
            t = None
        told = loss is not None and not self._repeats.train((step, epoch, loss, lr, grad_norm))
        evaluated = eval_loss is not None and not self._repeats.eval((step, epoch, eval_loss))
        if not told and not evaluated and not (loss is None and eval_loss is None):
            return records
        step, within = self._course.since_the_beginning(step, epoch, trains=told), step
        if judged is None or judged.eval_set:
            records += self._tell_sets(layout.evals, judged)
        if told or evaluated:
            anew = bool(total and self.total and total != self.total)
            start = self._course.start(step, epoch, ended=self._ended, trains=told, anew=anew)
            if start is not None:
                records.append(self.begin(start.resumed_from))
                step = within if start.resumed_from is None else step
        if total and total != self.total:
            records.append(self.plan(total, self._steps_per_epoch(step, epoch, total), t))
        metrics = {} if told and layout.plain else self._metrics(layout, values, (loss_name, judged), records)
        if told:
            self._course.train(step, epoch)
            if self._apart:
                if None in (step, self._apart_at) or step == self._apart_at:
                    lr, grad_norm = self._with_apart(lr, grad_norm)
                self._apart = None
            figures: dict[str, Any] = {"loss": loss, "lr": lr, "grad_norm": grad_norm}
            if self.skipped:
                figures["skipped_steps"] = self.skipped
            if layout.extras:
                figures |= step_extras(layout, values)
            told_here = {} if evaluated else metrics
            records += self._tell(events.STEP, t, self._course.step, epoch, figures, told_here)
        if evaluated and judged is not None:
            figures = {"eval_loss": eval_loss, **eval_extras(judged, values)}
            at = self._course.eval(step, epoch, ended=self._ended)
            records += self._tell(events.EVAL, t, at, epoch, figures, metrics, judged.eval_set)
        elif not told:
            self._course.other(step)
            blank = values is not whole
            null = (lr is not None or blank) and self._loss_name in layout.loss
            if null and (said := self._nulls.message(step, self._course.points, BLANKS if blank else NULLS)):
                records.append(self.note(said))
            if lr is not None or grad_norm is not None:
                if step != self._apart_at:
                    self._apart = None
                self._apart, self._apart_at = self._with_apart(lr, grad_norm), step
            if metrics:
                records.append(self._measured(events.METRICS, t, self._course.step, epoch, {"metrics": metrics}))
        if layout.ends and not self._ended:
            records.append(self.end(t=t))
        return records

    def _usual(self, layout: Layout, usual: Usual, values: Mapping[str, Any], t: float | None) -> list[Record] | None:
        """What an entry amounts to that simply follows the last one, all its figures finite, as nearly every one does.

        Returns:
            None for an entry that takes a closer look: then nothing was done.
        """
        step = None if usual.step is None else values[usual.step]
        if type(step) is not int and (usual.step is not None or not self._counting):
            return None
        if usual.loss != self._loss_name or self._ended or self._apart or self.skipped:
            return None
        if t is not None and not 0 <= t < LARGEST:
            return None
        record: Record = {"v": events.VERSION, "seq": self._seq, "t": t or 0.0, "event": events.STEP, "step": step}
        record["epoch"] = record["loss"] = record["lr"] = record["grad_norm"] = None
        for theirs, ours in usual.figures:
            record[ours] = figure = values[theirs]
            if type(figure) is not float or not -LARGEST < figure < LARGEST:
                return None
        epoch = record["epoch"]
        if not self._course.simply_follows(step, epoch):
            return None
        if self._repeats.train((step, epoch, record["loss"], record["lr"], record["grad_norm"])):
            return []
        self._course.train(step, epoch)
        record["step"] = self._course.step
        self._seq += 1
        records = [record]
        if layout.extras:
            record |= step_extras(layout, values)
        if not layout.plain and (metrics := self._metrics(layout, values, (usual.loss, None), records)):
            record["metrics"] = metrics
        if t is not None:
            record["mono"] = t
        return records

    def _tell(
        self,
        event: str,
        t: float | None,
        step: int,
        epoch: float | None,
        figures: dict[str, Any],
        metrics: dict[str, float | None],
        eval_set: str = "",
    ) -> list[Record]:
        """A `step` or an `eval`; before the first whose step had to be counted a note that says so."""
        self._trained = True
        if eval_set:
            figures["eval_set"] = eval_set
        if metrics:
            figures["metrics"] = metrics
        if self._counting or self._course.named or not step:
            return [self._measured(event, t, step, epoch, figures)]
        self._counting = True
        counted = self._record(events.NOTE, None, message=NO_STEPS, counted="records")
        return [counted, self._measured(event, t, step, epoch, figures)]

    def _with_apart(self, lr: float | None, grad_norm: float | None) -> tuple[float | None, float | None]:
        """A rate and a norm, or else those that were told apart from a loss, before it."""
        before = self._apart or (None, None)
        return (before[0] if lr is None else lr, before[1] if grad_norm is None else grad_norm)

    def _loss(self, names: tuple[str, ...], values: Mapping[str, Any]) -> tuple[str | None, float | None]:
        """The train loss: by the name that was the first to tell one, if the log has several."""
        for name in names:
            if self._loss_name in (None, name) and (loss := number(values[name])) is not None:
                self._loss_name = name
                return name, loss
        return None, None

    def _judged_eval(
        self, names: tuple[EvalName, ...], values: Mapping[str, Any]
    ) -> tuple[EvalName | None, float | None]:
        """The eval loss of the judged set: the one asked for, else the first that the log tells."""
        judged, judged_loss = None, None
        for one in names:
            if judged is not None and not judged.eval_set:
                break  # what follows are parts of the unnamed set's loss
            if one.eval_set not in self._eval_sets and len(self._eval_sets) < _SETS:
                self._eval_sets[one.eval_set] = None
            if judged is None and self._eval_set in (None, one.eval_set):
                judged_loss = number(values[one.name])
                judged = None if judged_loss is None else one
        if judged is not None:
            self._eval_set = judged.eval_set
        return judged, judged_loss

    def _tell_sets(self, there: tuple[EvalName, ...], judged: EvalName | None) -> list[Record]:
        """A note on which of several sets is judged. The parts of an unnamed set's loss beside it are no sets."""
        if self._sets_told or len(self._eval_sets) < 2 or not there:
            return []
        if self._eval_set not in self._eval_sets or (judged is not None and len(there) == 1):
            return []
        self._sets_told = True
        return [self.note(SETS.format(self._eval_set or "the unnamed one"))]

    def _metrics(
        self,
        layout: Layout,
        values: Mapping[str, Any],
        judged: tuple[str | None, EvalName | None],
        records: list[Record],
    ) -> dict[str, float | None]:
        """The numbers of an entry by their own names, but for those judged; None for one that is not finite."""
        loss, evaluated = judged
        used = {evaluated.name} if evaluated else set()
        if loss is not None:
            used |= {loss, *layout.rate[:1], *layout.grad_norm[:1]}
        names = layout.others if len(used) == len(layout.figures) else layout.others + layout.figures
        found = self._others.of(tuple(name for name in names if name not in used) if used else names, values)
        if self._others.more and not self._more_told:
            self._more_told = True
            records.append(self.note(MORE_NAMES))
        return found

    def schedule_point(self, step: int, lr: float) -> list[Record]:
        """A step of which the log tells the learning rate and not the loss."""
        start = self._course.start(step, None, ended=self._ended, trains=True)
        records = [self.begin(start.resumed_from)] if start else []
        self._course.train(step, None)
        self._trained = True
        figures: dict[str, Any] = {"loss": None, "lr": lr, "grad_norm": None}
        if self.skipped:
            figures["skipped_steps"] = self.skipped
        return [*records, self._measured(events.STEP, None, step, None, figures)]

    def _steps_per_epoch(self, step: int | None, epoch: float | None, total: int) -> int:
        if step and epoch and math.isfinite(epoch) and epoch > 0:
            return max(1, min(total, round(step / epoch)))
        return total

    def _measured(self, event: str, t: float | None, step: int, epoch: float | None, values: dict[str, Any]) -> Record:
        record: Record = {"v": events.VERSION, "seq": self._seq, "t": t or 0.0, "event": event, "step": step}
        record["epoch"] = epoch
        record.update(values)
        self._seq += 1
        if t is not None:
            record["mono"] = t
        for value in record.values():
            if type(value) is float and not -LARGEST < value < LARGEST:
                bad = sorted(key for key, value in record.items() if type(value) is float and not abs(value) < LARGEST)
                record.update(dict.fromkeys(bad), nonfinite=bad)
                break
        return record

    def _record(self, event: str, t: float | None, **fields: Any) -> Record:
        record: Record = {"v": events.VERSION, "seq": self._seq, "t": t or 0.0, "event": event, **fields}
        if t is not None:
            record["mono"] = t
        self._seq += 1
        return record
