"""The state of a run: what its events so far add up to. Live, finished and recorded runs are reduced alike."""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from vlmft_trainer import events
from vlmft_trainer.events import Record

_WINDOW = 200
"""Steps that the speed is taken from."""


@dataclass
class RunState:
    """Built by `apply`, one record after another; never read from anywhere else.

    A quantity that the log has not told yet is None, or empty.
    """

    start: Record | None = None
    """The latest `run_start`."""
    plan: Record | None = None
    """The latest `plan`."""
    last_step: Record | None = None
    """The latest `step`."""
    losses: list[float | None] = field(default_factory=list)
    """Training loss of every step logged, in order; None where it was not finite."""
    rates: list[tuple[int, float]] = field(default_factory=list)
    """Step and learning rate of every step logged."""
    evals: list[Record] = field(default_factory=list)
    """Every `eval`, in order."""
    checkpoints: list[Record] = field(default_factory=list)
    """Every `checkpoint`, in order."""
    notes: list[str] = field(default_factory=list)
    """The text of every `note`."""
    nonfinite_steps: int = 0
    """Steps with a value that was not finite."""
    last_seen: float | None = None
    """Unix time of the latest event of any kind."""
    heartbeat: Record | None = None
    """The latest `heartbeat`."""
    end: Record | None = None
    """`run_end`, once the run has said how it ended."""
    newer_version: int | None = None
    """The log's version, when it is newer than this program understands."""
    _last_mono: float | None = None
    _times: deque[tuple[int, float]] = field(default_factory=lambda: deque(maxlen=_WINDOW))

    def apply(self, record: Record) -> None:
        """Take in one record; events unknown to this version change nothing."""
        if record["v"] > events.VERSION:
            self.newer_version = record["v"]
        self.last_seen = record["t"]
        mono = record.get("mono")
        self._last_mono = float(mono) if isinstance(mono, int | float) else None
        event = record["event"]
        if event == events.RUN_START:
            self.start, self.end = record, None
        elif event == events.PLAN:
            self.plan = record
        elif event == events.STEP:
            self._step(record)
        elif event == events.EVAL:
            self.evals.append(record)
        elif event == events.CHECKPOINT:
            self.checkpoints.append(record)
        elif event == events.NOTE:
            self.notes.append(record["message"])
        elif event == events.HEARTBEAT:
            self.heartbeat = record
        elif event == events.RUN_END:
            self.end = record

    def _step(self, record: Record) -> None:
        self.last_step = record
        self.losses.append(record["loss"])
        if record["lr"] is not None:
            self.rates.append((record["step"], record["lr"]))
        self.nonfinite_steps += bool(record.get("nonfinite"))
        mono = record.get("mono")
        if isinstance(mono, float):
            if self._times and mono < self._times[-1][1]:
                self._times.clear()  # another boot: this clock began anew
            self._times.append((record["step"], mono))

    @property
    def seconds(self) -> float:
        """From the latest start to the latest event, by the clock that no one can set."""
        began, ended = (self.start or {}).get("mono"), self._last_mono
        return ended - began if isinstance(began, float) and ended is not None and ended > began else 0.0

    @property
    def step(self) -> int:
        """Optimizer steps done."""
        return int(self.last_step["step"]) if self.last_step else 0

    @property
    def total_steps(self) -> int | None:
        return int(self.plan["total_steps"]) if self.plan else None

    @property
    def steps_per_second(self) -> float | None:
        """Over the last steps, evals and checkpoints between them included."""
        if len(self._times) < 2:
            return None
        (first, began), (last, ended) = self._times[0], self._times[-1]
        return (last - first) / (ended - began) if ended > began and last > first else None

    @property
    def eta_seconds(self) -> float | None:
        """Time until the last step at the present speed."""
        speed, total = self.steps_per_second, self.total_steps
        if speed is None or total is None:
            return None
        return max(0, total - self.step) / speed

    @property
    def best_eval(self) -> Record | None:
        """The eval with the lowest loss, the base's at step 0 left out."""
        measured = [record for record in self.evals if record["eval_loss"] is not None and record["step"] > 0]
        return min(measured, key=lambda record: float(record["eval_loss"]), default=None)

    @property
    def base_scores(self) -> Mapping[str, Any]:
        """What the base answered before training: task to metrics."""
        return next((tasks_of(record) for record in self.evals if record["step"] == 0), {})

    @property
    def tuned_scores(self) -> Mapping[str, Any]:
        """What the adapter answered last: task to metrics."""
        answered = [tasks_of(record) for record in self.evals if record["step"] > 0 and tasks_of(record)]
        return answered[-1] if answered else {}

    def mean_loss(self, *, first: bool) -> float | None:
        """Mean training loss over the first, or the last, tenth of the steps logged."""
        count = max(1, len(self.losses) // 10)
        part = self.losses[:count] if first else self.losses[-count:]
        finite = [loss for loss in part if loss is not None]
        return sum(finite) / len(finite) if finite else None


def tasks_of(record: Record) -> Mapping[str, Any]:
    """The `tasks` of an eval, or nothing when it answered no questions."""
    tasks = record.get("tasks")
    return tasks if isinstance(tasks, Mapping) else {}
