"""Run state: what the events of a run so far add up to. Live, finished and recorded runs are reduced alike."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import InitVar, dataclass, field
from operator import itemgetter
from typing import Any

from vlmft_console.history.doubts import doubts_of
from vlmft_console.history.machine import machine_figures, parts_of
from vlmft_console.history.metrics import TOO_MANY
from vlmft_console.history.pulse import Pulse, resumed_from
from vlmft_console.history.run_series import RunSeries
from vlmft_core.health import STOP, Finding, Health
from vlmft_core.health.thresholds import Settings
from vlmft_core.run_folder import events
from vlmft_core.run_folder.batch import Batch
from vlmft_core.run_folder.events import Record

_GPU_EVENTS = 60
"""`gpu` events that are kept."""


@dataclass
class RunState(RunSeries):
    """Built by `apply`, one record after another; never read from anywhere else.

    A quantity that the log has not told yet is None, or empty. A resumed segment supersedes what the steps it repeats
    had told; that stays in every curve's `superseded`, and among the `evals`.
    """

    monitor: InitVar[Settings | None] = None
    """What the health rules go by; the defaults where it is not given."""
    start: Record | None = None
    """The latest `run_start`."""
    plan: Record | None = None
    """The latest `plan`."""
    segments: list[tuple[int, int]] = field(default_factory=list)
    """Number and first step of every segment, in order."""
    pulse: Pulse = field(default_factory=Pulse)
    """The signs of life."""
    evals: list[Record] = field(default_factory=list)
    """Every `eval`, in order."""
    superseded_evals: set[int] = field(default_factory=set)
    """Indices of the `evals` that a resumed segment has superseded."""
    checkpoints: list[Record] = field(default_factory=list)
    """Every `checkpoint`, in order."""
    gpus: tuple[Mapping[str, Any], ...] = ()
    """The latest figures of every GPU: `index`, `util`, `mem_gib`, … as the log has them."""
    gpu_history: tuple[tuple[Mapping[str, Any], ...], ...] = ()
    """The same of the last `gpu` events, the latest last."""
    hosts: tuple[Mapping[str, Any], ...] = ()
    """The latest figures of every host that told them: `index`, `name`, `cpu`, `mem_gib`, … as the log has them."""
    notes: list[str] = field(default_factory=list)
    """The text of every `note`."""
    nonfinite_steps: int = 0
    """Steps with a value that was not finite."""
    skipped_steps: int | None = None
    """Steps that DeepSpeed has skipped so far."""
    odd_steps: list[Record] = field(default_factory=list)
    """Every `rows`: the data of steps with a loss or gradient out of the ordinary. Superseded ones are left out."""
    end: Record | None = None
    """`run_end`, once the run has said how it ended."""
    newer_version: int | None = None
    """The log's version, when it is newer than this program understands."""
    rejected: int = 0
    """Entries of the log that could not be read, as whoever read it says."""
    health: Health = field(init=False)
    """The health rules, fed with every record."""
    applied: int = 0
    """Records taken in so far."""
    raised_at: list[int] = field(default_factory=list)
    """For each of the `findings`, which record raised it, counted from 0."""
    _earlier_seconds: float = 0.0
    _last_mono: float | None = None

    def __post_init__(self, monitor: Settings | None) -> None:
        super().__post_init__()
        self.health = Health(monitor)

    def apply(self, record: Record) -> None:
        """Take in one record; events unknown to this version change nothing."""
        self.apply_all((record,))

    def apply_all(self, records: Sequence[Record]) -> None:
        """Take in records in order; the more at once, the less each costs."""
        batch = Batch.of(records)
        for piece in _forward(batch, self.step):
            last = self.step
            if piece.kinds[0] == events.RUN_START:
                last = min(last, resumed_from(piece[0]))
                self._start(piece[0])
            elif piece.steps and piece.steps[0]["step"] < last:
                self._rewind(piece.steps[0]["step"] - 1)
            for number, index in enumerate(piece.others):
                before = index - number
                self._other(piece.kinds[index], piece[index], piece.steps[before - 1]["step"] if before else last)
            self._measured(piece)
            self._clock(piece)
            self.pulse = self.pulse.after(piece)
        self._judge(batch)
        if max(map(itemgetter("v"), batch), default=0) > events.VERSION:
            self.newer_version = next(record["v"] for record in reversed(batch) if record["v"] > events.VERSION)
        self.applied += len(batch)

    def _judge(self, records: Sequence[Record]) -> None:
        for index, changed in self.health.feed_all(records):
            newest = max(finding.number for finding in changed)
            self.raised_at += [self.applied + index] * (newest + 1 - len(self.raised_at))

    def _start(self, record: Record) -> None:
        self._earlier_seconds = self.seconds
        self.start, self.end = record, None
        resumed = resumed_from(record)
        self._rewind(resumed)
        self.segments.append((record["segment"], resumed + 1))

    def _measured(self, batch: Batch) -> None:
        """Take in records whose steps never go back."""
        others = [batch[index] for index in batch.others]
        self.add(batch, [record for record in others if record["event"] in (events.EVAL, events.METRICS)])
        if not self.all_metrics and TOO_MANY not in self.notes:
            self.notes.append(TOO_MANY)
        self.evals += (record for record in others if record["event"] == events.EVAL)
        if batch.has("nonfinite"):
            self.nonfinite_steps += sum(map(bool, batch.column("nonfinite")))
        if batch.has("skipped_steps"):
            skipped = (count for count in reversed(batch.column("skipped_steps")) if isinstance(count, int))
            self.skipped_steps = next(skipped, self.skipped_steps)

    def _other(self, event: str, record: Record, step: int) -> None:
        if event == events.PLAN:
            self.plan = record
        elif event == events.CHECKPOINT:
            self.checkpoints.append(record)
        elif event in (events.GPU, events.HOST):
            self._machine(event, record, step)
        elif event == events.NOTE:
            self.notes.append(record["message"])
        elif event == events.ROWS:
            self.odd_steps.append(record)
        elif event == events.RUN_END:
            self.end = record

    def _machine(self, event: str, record: Record, step: int) -> None:
        if event == events.GPU:
            self.gpus = parts_of(record)
            self.gpu_history = (*self.gpu_history[1 - _GPU_EVENTS :], self.gpus)
        else:
            self.hosts = parts_of(record)
        for name, value in machine_figures(record):
            self.add_figure(name, step, value)

    def _clock(self, records: Sequence[Record]) -> None:
        mono = records[-1].get("mono")
        self._last_mono = float(mono) if isinstance(mono, int | float) else None

    def _rewind(self, step: int) -> None:
        """All that was told of later steps is superseded."""
        self.rewind(step)
        self.odd_steps = [record for record in self.odd_steps if record["step"] <= step]
        self.superseded_evals.update(index for index, record in enumerate(self.evals) if record["step"] > step)

    @property
    def planned(self) -> bool:
        """Whether the latest start came as far as its plan: what it needs was then there."""
        return self.plan is not None and (self.start is None or self.plan["t"] >= self.start["t"])

    @property
    def findings(self) -> list[Finding]:
        """All that the health rules have found, resolved findings too, in the order raised."""
        return self.health.findings

    @property
    def worst_finding(self) -> Finding | None:
        """The worst of the findings that hold."""
        active = [finding for finding in self.findings if finding.active]
        return max(active, key=lambda finding: (finding.severity == STOP, finding.number), default=None)

    @property
    def doubts(self) -> list[str]:
        """What of the log is not understood, a sentence each."""
        return doubts_of(self.newer_version, self.rejected)

    @property
    def current_evals(self) -> list[Record]:
        """The evals that no resumed segment has superseded."""
        return [record for index, record in enumerate(self.evals) if index not in self.superseded_evals]

    @property
    def step(self) -> int:
        """Optimizer steps done."""
        return self.pulse.step

    @property
    def reached(self) -> int:
        """The step that the log has come to: in one that has nothing but evals, that of the last."""
        return max(self.step, *(int(record["step"]) for record in self.current_evals[-1:]), 0)

    @property
    def last_step(self) -> Record | None:
        """The latest `step` of this segment; None until its first one."""
        return self.pulse.last_step

    @property
    def seconds(self) -> float:
        """From each start to the last event after it, without the pauses, by the clock that no one can set."""
        began, ended = (self.start or {}).get("mono"), self._last_mono
        if not isinstance(began, float) or ended is None:
            return self._earlier_seconds
        return self._earlier_seconds + max(0.0, ended - began)

    @property
    def total_steps(self) -> int | None:
        return int(self.plan["total_steps"]) if self.plan else None

    @property
    def eta_seconds(self) -> float | None:
        """Time until the last step at the present speed."""
        speed, total = self.pulse.steps_per_second, self.total_steps
        if speed is None or total is None:
            return None
        return max(0, total - self.step) / speed

    @property
    def best_eval(self) -> Record | None:
        """The eval with the lowest loss, the base's at step 0 left out."""
        measured = [record for record in self.current_evals if record["eval_loss"] is not None and record["step"] > 0]
        return min(measured, key=lambda record: float(record["eval_loss"]), default=None)

    @property
    def base_scores(self) -> Mapping[str, Any]:
        """What the base answered before training: task to metrics."""
        return next((tasks_of(record) for record in self.current_evals if record["step"] == 0), {})

    @property
    def answered(self) -> Record | None:
        """The last eval at which the adapter answered questions."""
        return next((one for one in reversed(self.current_evals) if one["step"] > 0 and tasks_of(one)), None)

    @property
    def tuned_scores(self) -> Mapping[str, Any]:
        """What the adapter answered last: task to metrics."""
        return tasks_of(self.answered) if self.answered else {}

    def mean_loss(self, *, first: bool) -> float | None:
        """Mean training loss over the first, or the last, tenth of the steps logged."""
        count = max(1, len(self.train_loss) // 10)
        finite = self.train_loss.values(0, count) if first else self.train_loss.values(-count)
        return sum(finite) / len(finite) if finite else None


def _forward(batch: Batch, step: int) -> Iterator[Batch]:
    """The same in pieces within which no step is lower than one before it, and of which a `run_start` is the first
    record.

    Args:
        batch: the records.
        step: that before them.
    """
    starts = {index for index in batch.others if batch.kinds[index] == events.RUN_START}
    back = batch.goes_back or (batch.steps and batch.steps[0]["step"] < step)
    if not back and not starts - {0}:
        yield from [batch] if batch else []
        return
    begin = 0
    for index, record in enumerate(batch):
        if record["event"] == events.STEP:
            if record["step"] < step and index > begin:
                yield Batch(batch[begin:index])
                begin = index
            step = record["step"]
        elif index in starts:
            if index > begin:
                yield Batch(batch[begin:index])
            begin, step = index, min(step, resumed_from(record))
    yield Batch(batch[begin:])


def tasks_of(record: Record) -> Mapping[str, Any]:
    """The `tasks` of an eval, or nothing when it answered no questions."""
    tasks = record.get("tasks")
    return tasks if isinstance(tasks, Mapping) else {}
