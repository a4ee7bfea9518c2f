"""Epoch figures: one line of them for each epoch of a run, to be looked at after every epoch."""

from __future__ import annotations

import math
from bisect import bisect_left, bisect_right
from collections.abc import Mapping
from dataclasses import dataclass
from statistics import median
from typing import Any

from vlmft_console.history.series import Series
from vlmft_console.history.state import RunState, tasks_of
from vlmft_core.scoring.metrics import HEADLINE

_MOST = 1000
"""Epochs told of, the latest ones."""


@dataclass(frozen=True)
class EpochRow:
    """One epoch. A figure that the log does not tell is None."""

    epoch: int
    """Counted from 1."""
    last_step: int
    """The last step of it so far."""
    train_loss: float | None
    """Mean over its steps."""
    eval_loss: float | None
    """Of its last eval."""
    accuracy: float | None
    """Token accuracy of its last eval, 0 to 1."""
    scores: Mapping[str, float]
    """Share of right answers by task, 0 to 1, of its last eval that answered questions."""
    questions: Mapping[str, int | None]
    """How many questions those were."""
    lr: float | None
    """At its last step."""
    grad_norm: float | None
    """Median over its steps."""
    best: bool
    """Whether the best eval of the run is in it."""
    done: bool
    """Whether it is over."""

    @property
    def gap(self) -> float | None:
        """Eval loss minus train loss."""
        return None if self.eval_loss is None or self.train_loss is None else self.eval_loss - self.train_loss


class EpochFigures:
    """Works the rows out anew while the run grows. What was taken over all steps of an epoch that is over is kept."""

    def __init__(self) -> None:
        self._kept: dict[tuple[int, ...], tuple[float | None, float | None]] = {}

    def rows(self, state: RunState) -> list[EpochRow]:
        """The epochs so far, in order; none where the log does not tell epochs."""
        last = state.epochs.last
        if last is None or last[1] is None:
            return []
        evals, scores = _evals_by_epoch(state), _scores_by_epoch(state)
        nothing: dict[str, tuple[float, int | None]] = {}
        count = _epoch_at(last[1])
        kept, self._kept = self._kept, {}
        rows = []
        for epoch in range(max(1, count - _MOST + 1), count + 1):
            first, stop = _first_above(state.epochs, epoch - 1), _first_above(state.epochs, epoch)
            if first == stop:
                continue
            steps = state.epochs[first][0], state.epochs[stop - 1][0]
            done = stop < len(state.epochs) or state.epochs[stop - 1][1] == epoch
            key = (epoch, first, stop, state.train_loss.superseded.pieces)
            train, grad = self._kept[key] = kept.get(key) or _over(state, *steps)
            record = evals.get(epoch, {})
            lr = state.lr.nearest(steps[1])
            rows.append(
                EpochRow(
                    epoch=epoch,
                    last_step=int(steps[1]),
                    train_loss=train,
                    eval_loss=record.get("eval_loss"),
                    accuracy=_number(record.get("token_accuracy")),
                    scores={task: share for task, (share, _) in scores.get(epoch, nothing).items()},
                    questions={task: count for task, (_, count) in scores.get(epoch, nothing).items()},
                    lr=lr[1] if lr else None,
                    grad_norm=grad,
                    best=record.get("best") is True,
                    done=done,
                )
            )
        return rows


def _epoch_at(place: float) -> int:
    """The epoch, counted from 1, that a place in epochs lies in or ends."""
    return max(1, math.ceil(place - 1e-6))


def _evals_by_epoch(state: RunState) -> dict[int, dict[str, Any]]:
    """The last eval of each epoch with an eval loss, and whether the best one is in that epoch."""
    best = state.best_eval
    found: dict[int, dict[str, Any]] = {}
    for record in state.current_evals:
        if record["epoch"] is None or record["eval_loss"] is None or record["step"] == 0:
            continue
        epoch = _epoch_at(record["epoch"])
        is_best = record is best or found.get(epoch, {}).get("best", False)
        found[epoch] = {**record, "best": is_best}
    return found


def _scores_by_epoch(state: RunState) -> dict[int, dict[str, tuple[float, int | None]]]:
    """What the adapter answered last in each epoch, and how many questions of each task."""
    found: dict[int, dict[str, tuple[float, int | None]]] = {}
    for record in state.current_evals:
        if record["epoch"] is None or record["step"] == 0:
            continue
        for task, metrics in tasks_of(record).items():
            share = metrics.get(HEADLINE.get(task, "accuracy")) if isinstance(metrics, Mapping) else None
            if isinstance(share, int | float):
                asked = metrics.get("n")
                told = float(share), asked if type(asked) is int else None
                found.setdefault(_epoch_at(record["epoch"]), {})[task] = told
    return found


def _over(state: RunState, first: float, last: float) -> tuple[float | None, float | None]:
    """Mean train loss and median gradient norm of the steps `first` to `last`."""
    losses, norms = _between(state.train_loss, first, last), _between(state.grad_norm, first, last)
    return (sum(losses) / len(losses) if losses else None), (median(norms) if norms else None)


def _between(series: Series, first: float, last: float) -> list[float]:
    places = range(len(series))
    start = bisect_left(places, first, key=lambda index: series[index][0])
    return series.values(start, bisect_right(places, last, key=lambda index: series[index][0]))


def _first_above(epochs: Series, epoch: int) -> int:
    """Index of the first step that ended after `epoch` epochs."""
    return bisect_right(range(len(epochs)), epoch + 1e-6, key=lambda index: epochs[index][1] or 0.0)


def _number(value: Any) -> float | None:
    return float(value) if isinstance(value, int | float) else None
