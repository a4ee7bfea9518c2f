"""Checkpoints of a run as a table: what each one measured, and what will become of it."""

from __future__ import annotations

import math
import os
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import datetime
from pathlib import Path
from typing import Any

from vlmft_console.figures import accuracy, epochs_passed, percent
from vlmft_console.history.question_counts import unlike_counts
from vlmft_console.history.state import RunState, tasks_of
from vlmft_console.report.summary import bounds, score_of
from vlmft_console.runs.checkpoint_adapter import adapter_step
from vlmft_core.durable import read_json
from vlmft_core.figures import figure, filesize
from vlmft_core.run_folder.checkpoints import Checkpoint, best_first, complete_ones, going_steps
from vlmft_core.run_folder.layout import ADAPTER_WEIGHTS, EVAL_RECORD, EVAL_SCORES, RunLayout

KEPT, GOES, MAY_GO, PARTIAL = "kept", "goes next", "goes if beaten", "not complete"
"""What becomes of a checkpoint: nothing; it is deleted at the next save; the same, if that one is better; it was never
finished, and cannot be used."""

EPOCH, TOKEN_ACCURACY, SIZE = 1, 3, -2
"""Places among the `checkpoint_cells` of those that matter least."""


@dataclass(frozen=True)
class CheckpointRow:
    """One checkpoint that is on the disk."""

    step: int
    folder: Path
    bytes: int
    fate: str
    """One of `KEPT`, `GOES`, `MAY_GO`, `PARTIAL`."""
    epoch: float | None = None
    eval_loss: float | None = None
    token_accuracy: float | None = None
    """A share of one."""
    tasks: Mapping[str, tuple[float, int | None]] = field(default_factory=dict)
    """By task the share of right answers, and of how many questions."""
    best: bool = False
    """By the run's own metric."""
    adapter: bool = False
    """The run's adapter has its weights."""

    @property
    def complete(self) -> bool:
        return self.fate != PARTIAL

    @property
    def words(self) -> str:
        """What there is to say about it."""
        parts = ("best" if self.best else "", "adapter" if self.adapter else "", self.fate)
        return ", ".join(filter(None, parts))


@dataclass(frozen=True)
class CheckpointTable:
    """All that is known of a run's checkpoints."""

    rows: tuple[CheckpointRow, ...]
    """By step."""
    metric: str
    """What says which is best: `eval_loss` or `token_accuracy`."""
    limit: int | None
    """How many are kept besides the newest; None for all."""
    deleted: tuple[int, ...]
    """Steps of those that were and are no more."""

    @property
    def tasks(self) -> list[str]:
        """The tasks that any of them answered."""
        return list(dict.fromkeys(task for row in self.rows for task in row.tasks))

    @property
    def rule(self) -> str:
        """How many are kept, and what became of the others, in a line."""
        which = f"the best {self.limit} by {self.metric.replace('_', ' ')} and the newest" if self.limit else "all"
        gone = [f"gone: step {', '.join(f'{step:,}' for step in self.deleted)}"] if self.deleted else []
        if not self.rows and gone:
            return gone[0]
        return "; ".join([f"{which} are kept", *gone])

    @property
    def unlike(self) -> str:
        """Which answers are to other numbers of questions than the rest, in a line."""
        counts = ((row.step, {task: asked for task, (_, asked) in row.tasks.items()}) for row in self.rows)
        return unlike_counts(counts, "step")


@dataclass(frozen=True)
class LaterEval:
    """What `vlmft eval` found of an adapter."""

    adapter: str
    """SHA-256 of its weights."""
    samples: str
    """The fingerprint of all eval samples, of which some were asked."""
    tasks: Mapping[str, tuple[float, int | None]]
    """As in `CheckpointRow`."""


@dataclass(frozen=True)
class Saved:
    """What lies in a run's folder."""

    complete: tuple[Checkpoint, ...] = ()
    """By step."""
    partial: tuple[CheckpointRow, ...] = ()
    """Those that were never finished."""
    adapter: int | None = None
    """The step whose weights the run's adapter has, as `adapter_step` tells."""
    evals: tuple[LaterEval, ...] = ()
    """Those that `vlmft eval` has finished."""


def look(run: RunLayout) -> Saved:
    """What lies in a run's folder now. Reads the adapter once, to tell whose it is."""
    complete = complete_ones(run)
    known = {run.checkpoint(one.step) for one in complete}
    partial = (_partial(folder) for folder in run.checkpoints if folder not in known)
    return Saved(tuple(complete), tuple(partial), adapter_step(run), tuple(_later_evals(run)))


def _later_evals(run: RunLayout) -> Iterator[LaterEval]:
    """Evals in the run's folder that are finished and say of what they are; others are passed over."""
    for folder in sorted(run.evals.glob("*")):
        record, scores = read_json(folder / EVAL_RECORD) or {}, read_json(folder / EVAL_SCORES) or {}
        adapter, samples = record.get("adapter"), record.get("samples")
        tuned = {task: sides.get("tuned") for task, sides in scores.items() if isinstance(sides, dict)}
        if isinstance(adapter, str) and isinstance(samples, str) and (found := dict(_scores(tuned))):
            yield LaterEval(adapter, samples, found)


def _of_most_questions(row: CheckpointRow, checkpoint: Checkpoint, saved: Saved, data: Any) -> CheckpointRow:
    """The row with what `vlmft eval` found where that asked more questions of the same eval data than the training."""
    mine = checkpoint.files.get(ADAPTER_WEIGHTS, {}).get("sha256")
    tasks = dict(row.tasks)
    for each in saved.evals:
        if each.adapter == mine and each.samples == data:
            tasks |= {
                task: score for task, score in each.tasks.items() if (score[1] or 0) > (tasks.get(task, (0, 0))[1] or 0)
            }
    return replace(row, tasks=tasks)


def checkpoint_table(run: RunLayout, saved: Saved, state: RunState, *, over: bool) -> CheckpointTable:
    """The checkpoints in a run's folder, with what its log tells of them.

    Args:
        run: the folder.
        saved: what lies in it.
        state: the run's log.
        over: whether no other checkpoint will come.
    """
    preset = (state.start or {}).get("preset")
    limit = _setting(preset, "checkpoints", "save_total_limit")
    limit = limit if type(limit) is int and limit > 0 else None
    metric = str(_setting(preset, "evaluation", "metric_for_best_model") or "eval_loss")
    going, beaten = (set[int](), set[int]()) if over else going_steps(saved.complete, limit, metric)
    measured = (one for one in best_first(saved.complete, metric) if one.score(metric) > -math.inf)
    best = next(measured, None)
    rows = [
        CheckpointRow(
            one.step,
            run.checkpoint(one.step),
            one.bytes,
            GOES if one.step in going else MAY_GO if one.step in beaten else KEPT,
            _epoch(state, one.step),
            one.eval_loss,
            one.token_accuracy,
            answered_at(state, one.step),
            one is best,
            one.step == saved.adapter,
        )
        for one in saved.complete
    ]
    data = (state.plan or {}).get("eval_data")
    rows = [_of_most_questions(row, one, saved, data) for row, one in zip(rows, saved.complete, strict=True)]
    rows += saved.partial
    deleted = {record["step"] for record in state.checkpoints} - {row.step for row in rows}
    return CheckpointTable(tuple(sorted(rows, key=lambda row: row.step)), metric, limit, tuple(sorted(deleted)))


def checkpoint_dict(row: CheckpointRow) -> dict[str, Any]:
    """One row, JSON-able. Keys: `step`, `epoch`, `eval_loss`, `token_accuracy`, `tasks` (by name `accuracy`, `low`,
    `high`, shares of one, and `questions`), `bytes`, `complete`, `fate`, `best`, `adapter`, `folder`."""
    return {
        "step": row.step,
        "epoch": row.epoch,
        "eval_loss": row.eval_loss,
        "token_accuracy": row.token_accuracy,
        "tasks": {
            task: dict(zip(("accuracy", "low", "high", "questions"), (score[0], *bounds(score), score[1]), strict=True))
            for task, score in row.tasks.items()
        },
        "bytes": row.bytes,
        "complete": row.complete,
        "fate": row.fate,
        "best": row.best,
        "adapter": row.adapter,
        "folder": str(row.folder),
    }


def checkpoint_cells(row: CheckpointRow, tasks: list[str]) -> tuple[str, ...]:
    """One row as text: step, epoch, eval loss, token accuracy, accuracy on each of `tasks`, size, what there is to
    say."""
    return (
        f"{row.step:,}",
        epochs_passed(row.epoch),
        figure(row.eval_loss, "–"),
        percent(row.token_accuracy, "–"),
        *(accuracy(*row.tasks[task]) if task in row.tasks else "–" for task in tasks),
        filesize(row.bytes),
        row.words,
    )


def checkpoint_headings(tasks: list[str]) -> tuple[str, ...]:
    """The headings of `checkpoint_cells`."""
    return ("step", "epoch", "eval loss", "token acc.", *tasks, "size", "")


def change_words(change: Mapping[str, Any]) -> str:
    """When which checkpoint's adapter was made the run's, and by whom; from `chosen_by_hand`."""
    when = datetime.fromtimestamp(change["t"]).astimezone().strftime("%Y-%m-%d %H:%M")
    by = change.get("by")
    return f"{when}: the adapter of step {change['step']:,} was made the run's, by {by or 'hand'}"


def _setting(preset: Any, section: str, key: str) -> Any:
    values = preset.get(section) if isinstance(preset, Mapping) else None
    return values.get(key) if isinstance(values, Mapping) else None


def _epoch(state: RunState, step: int) -> float | None:
    told = (record["epoch"] for record in state.current_evals if record["step"] == step)
    per_epoch = (state.plan or {}).get("steps_per_epoch")
    by_plan = step / per_epoch if type(per_epoch) is int and per_epoch > 0 else None
    return next((epoch for epoch in told if epoch is not None), by_plan)


def answered_at(state: RunState, step: int) -> dict[str, tuple[float, int | None]]:
    """By task the share that the adapter of a step answered rightly, the last time it was asked, and of how many."""
    evals = [tasks for record in state.current_evals if record["step"] == step and (tasks := tasks_of(record))]
    return dict(_scores(evals[-1])) if evals else {}


def _scores(tasks: Mapping[str, Any]) -> Iterator[tuple[str, tuple[float, int | None]]]:
    for task, metrics in tasks.items():
        if score := score_of(metrics, task):
            yield task, score


def _partial(folder: Path) -> CheckpointRow:
    size = 0
    for here, _, files in os.walk(folder):  # which passes over what is deleted meanwhile
        for file in files:
            with suppress(OSError):
                size += (Path(here) / file).lstat().st_size
    number = folder.name.rpartition("-")[2]
    return CheckpointRow(int(number) if number.isascii() and number.isdecimal() else 0, folder, size, PARTIAL)
