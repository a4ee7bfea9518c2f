"""Translator: the metrics of other programs made records of our event log."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, Final

from vlmft_console.history.importers.parsing import duration, number, step_of_total, whole
from vlmft_core.run_folder import events
from vlmft_core.run_folder.events import Record

_STEP: Final = (
    "step",
    "global_step",
    "current_steps",
    "global_step/max_steps",
    "steps[global_step/max_steps]",
    "iteration",
)
_TOTAL: Final = ("total_steps", "max_steps")
_STEP_EXTRAS: Final = (
    ("train_speed(s/it)", "step_s"),
    ("memory(GiB)", "mem_gib"),
    ("throughput", "tokens_per_s"),
    ("mean_token_accuracy", "token_accuracy"),
    ("token_acc", "token_accuracy"),
    ("acc", "token_accuracy"),
)
"""Figures beside the loss, and what they are called in our log."""
_ACCURACY: Final = ("mean_token_accuracy", "token_acc", "acc")
_LARGEST: Final = 1e300
"""Numbers from here on are not finite to us: our own log refuses them too."""

_Entry = tuple[int | None, float | None, float | None, float | None, float | None, float | None]
"""Step, epoch, loss, learning rate, norm of the gradient, eval loss."""

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
        self._step = 0
        self.total: int | None = None
        """Steps that the log promises."""
        self._epoch: float | None = None
        self._ended = False
        self._counting = False
        self._latest: _Entry | None = None
        self.named_steps = False
        """Whether the log itself has named a step."""
        self.skipped = 0
        """Steps skipped so far for gradients that overflowed."""

    def begin(self, resumed_from: int | None = None) -> Record:
        """A `run_start`; a log that holds several trainings has several.

        Args:
            resumed_from: the step after which the training goes on; None for one that begins anew.
        """
        self._segment += 1
        self._ended = False
        if resumed_from is None:
            self._step, self.skipped, self._latest = 0, 0, None
        fields = {"run_id": self._label, "segment": self._segment, "resumed_from": resumed_from}
        return self._record(events.RUN_START, None, **fields)

    def note(self, message: str) -> Record:
        return self._record(events.NOTE, None, message=message)

    def plan(self, total: int, steps_per_epoch: int, t: float | None = None) -> Record:
        """A `plan` that promises the number of steps and no schedule: foreign logs do not tell theirs."""
        self.total = total
        fields: dict[str, Any] = {"total_steps": total, "steps_per_epoch": steps_per_epoch}
        return self._record(events.PLAN, t, **fields, warmup_steps=0, peak_lr=None)

    def end(self, status: str = events.FINISHED, reason: str = "", t: float | None = None) -> Record:
        self._ended = True
        return self._record(events.RUN_END, t, status=status, reason=reason)

    def take(self, values: Mapping[str, Any], t: float | None = None) -> list[Record]:
        """The records that one entry of the log amounts to: none, a step, an eval, the end of the run.

        An entry that repeats the one before, as two writers of one file make it, amounts to none.

        Raises:
            ValueError: a value that matters is of the wrong type; then nothing of the entry is taken.
        """
        get = values.get
        loss, eval_loss, epoch = number(get("loss")), number(get("eval_loss")), number(get("epoch"))
        lr, grad_norm = number(get("learning_rate", get("lr"))), number(get("grad_norm"))
        step, total = self._place(values)
        if t is None and "elapsed_time" in values:
            t = duration(values["elapsed_time"])
        if t is not None and not 0 <= t < _LARGEST:
            t = None
        measured = loss is not None or eval_loss is not None
        if measured and self._repeated((step, epoch, loss, lr, grad_norm, eval_loss)):
            return []
        records: list[Record] = []
        if total and total != self.total:
            records.append(self.plan(total, self._steps_per_epoch(step, epoch, total), t))
        if loss is not None:
            if self._ended:
                records.append(self.begin(self._step if self._goes_on(step, epoch) else None))
            self._epoch = epoch
            records += self._numbered(step)
            figures = {"loss": loss, "lr": lr, "grad_norm": grad_norm, **self._skips(), **_step_extras(values)}
            records.append(self._measured(events.STEP, t, epoch, figures))
        elif step is not None:
            self._step = step
            self.named_steps = True
        if eval_loss is not None:
            records.append(self._measured(events.EVAL, t, epoch, {"eval_loss": eval_loss, **_eval_extras(values)}))
        if "train_runtime" in values and not self._ended:
            records.append(self.end(t=t))
        return records

    def schedule_point(self, step: int, lr: float) -> Record:
        """A step of which the log tells the learning rate and not the loss."""
        self.named_steps = True
        self._step = step
        return self._measured(events.STEP, None, None, {"loss": None, "lr": lr, "grad_norm": None, **self._skips()})

    def _goes_on(self, step: int | None, epoch: float | None) -> bool:
        """Whether what follows the end of a training goes on where it ended, rather than being another training."""
        if step is not None:
            return step > self._step
        return epoch is not None and self._epoch is not None and epoch > self._epoch

    def _repeated(self, entry: _Entry) -> bool:
        """Whether this is the entry before once more. An eval without a step may be spelled with fewer digits."""
        before, self._latest = self._latest, entry
        if not before:
            return False
        if entry[0] is not None or entry[2] is not None:
            # Training records without a step can be alike, and NaN equals NaN as text alone.
            return entry[0] is not None and entry[0] == before[0] and repr(entry) == repr(before)
        return before[2] is None and _alike(before[1], entry[1], 0.01) and _alike(before[5], entry[5], 5e-4)

    def _skips(self) -> dict[str, int]:
        return {"skipped_steps": self.skipped} if self.skipped else {}

    def _place(self, values: Mapping[str, Any]) -> tuple[int | None, int | None]:
        step = total = None
        for key in _STEP:
            if key in values and values[key] is not None:
                step, total = step_of_total(values[key])
                break
        for key in _TOTAL:
            if total is None and key in values:
                total = whole(values[key])
        return step, total

    def _numbered(self, step: int | None) -> list[Record]:
        """Move to this training record's step; the first that has to be counted is told in a note."""
        if step is not None:
            self.named_steps = True
            self._step = step
            return []
        self._step += 1
        if self._counting or self.named_steps:
            return []
        self._counting = True
        return [self.note(NO_STEPS)]

    def _steps_per_epoch(self, step: int | None, epoch: float | None, total: int) -> int:
        if step and epoch and math.isfinite(epoch) and epoch > 0:
            return max(1, min(total, round(step / epoch)))
        return total

    def _measured(self, event: str, t: float | None, epoch: float | None, values: dict[str, Any]) -> Record:
        record: Record = {"v": events.VERSION, "seq": self._seq, "t": t or 0.0, "event": event, "step": self._step}
        record["epoch"] = epoch
        record.update(values)
        self._seq += 1
        if t is not None:
            record["mono"] = t
        for value in record.values():
            if type(value) is float and not -_LARGEST < value < _LARGEST:
                bad = sorted(key for key, value in record.items() if type(value) is float and not abs(value) < _LARGEST)
                record.update(dict.fromkeys(bad), nonfinite=bad)
                break
        return record

    def _record(self, event: str, t: float | None, **fields: Any) -> Record:
        record: Record = {"v": events.VERSION, "seq": self._seq, "t": t or 0.0, "event": event, **fields}
        if t is not None:
            record["mono"] = t
        self._seq += 1
        return record


def _alike(one: float | None, other: float | None, tolerance: float) -> bool:
    """Whether two spellings of a figure are the same but for rounding."""
    return one == other or (one is not None and other is not None and math.isclose(one, other, rel_tol=tolerance))


def _step_extras(values: Mapping[str, Any]) -> dict[str, float]:
    extras: dict[str, float] = {}
    for theirs, ours in _STEP_EXTRAS:
        if theirs in values and (found := _figure(values[theirs])) is not None:
            extras[ours] = found
    if speed := _figure(values.get("train_speed(iter/s)")):
        extras["step_s"] = 1 / speed
    return extras


def _eval_extras(values: Mapping[str, Any]) -> dict[str, float]:
    extras: dict[str, float] = {}
    if runtime := _figure(values.get("eval_runtime")):
        extras["runtime_s"] = runtime
    accuracy = next((values[f"eval_{key}"] for key in _ACCURACY if f"eval_{key}" in values), None)
    if (found := _figure(accuracy)) is not None:
        extras["token_accuracy"] = found
    return extras


def _figure(value: Any) -> float | None:
    """A finite figure that nothing depends on; None where there is none to be had."""
    try:
        found = number(value)
    except ValueError:
        return None
    return found if found is not None and abs(found) < _LARGEST else None
