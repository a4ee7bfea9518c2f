"""Evals so far, and what they come to: best, rises, noise, accuracies; carried from one eval to the next."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from vlmft_core.health.thresholds import Settings
from vlmft_core.metrics import HEADLINE
from vlmft_core.run_folder.events import Record

TINY = 1e-3
"""A loss this small is not divided by: below it, changes say nothing."""
FEW = 10
"""Train losses that make a mean to go by. Where fewer are logged between two evals, earlier ones are looked at too."""

BENDS_KEPT = 15
"""Evals whose noise is looked at."""
BENDS_NEEDED = 3
"""Evals that make an estimate of it."""
MEDIAN_BEND = 0.6745 * math.sqrt(1.5)
"""The median of those of noise with a standard deviation of 1: the middle between two neighbours scatters too."""
SIGMAS = 4.0
"""The lowest of twenty evals lies about two standard deviations below their middle, one in twenty two above."""


def number(value: object) -> float | None:
    """A finite number as a float, else None; true and false are none."""
    return float(value) if isinstance(value, int | float) and type(value) is not bool and abs(value) < 1e300 else None


def change(before: float, after: float) -> float:
    """By how much `after` lies above `before`, as a share of it."""
    return (after - before) / max(abs(before), TINY)


@dataclass(frozen=True, slots=True)
class Point:
    """One eval."""

    step: int
    epoch: float | None
    loss: float
    """Eval loss."""
    level: float | None
    """Mean train loss of the logged steps before it, since the eval before it and at most a window."""
    trend: float | None
    """The same over at least `FEW` logged steps, where there are as many."""
    count: int
    """Losses in `level`."""

    def parted(self, best: Point, share: float) -> bool:
        """Whether the train loss has fallen since `best`, in the trend too.

        Args:
            share: the fall that counts between two single losses. A mean scatters less, by the root of their number.
        """
        share /= math.sqrt(max(1, min(best.count, self.count)))
        pairs = ((best.level, self.level), (best.trend, self.trend))
        return all(a is not None and b is not None and change(a, b) <= -share for a, b in pairs)


@dataclass(frozen=True, slots=True)
class Accuracy:
    """One accuracy over the evals."""

    name: str
    value: float
    best: float
    best_step: int
    below: int
    """Evals in a row below the best."""


@dataclass(frozen=True, slots=True)
class Evals:
    """The evals up to one of them. `next` makes the following one; nothing here ever changes."""

    step: int = -1
    """Of the newest eval."""
    last: Point | None = None
    best: Point | None = None
    mark: Point | None = None
    """The last eval that improved on the one before it in this place by `plateau_change`."""
    stale: int = 0
    """Evals since `mark`."""
    rises: int = 0
    """Rises in a row up to the newest eval."""
    rising: bool = False
    """`rises` reached its limit, and the loss has not come back to within `min_rise` of the best since."""
    peak: float = 0.0
    """Highest distance above the best since the loss was last near it."""
    recovered: float = 0.0
    """Highest distance from which the loss came back by half or more."""
    bends: tuple[float, ...] = ()
    """How far the last evals lay from the middle between their neighbours, from the first rise on: the steep fall at
    the beginning is no noise."""
    previous: float | None = None
    """The loss before the newest."""
    accuracies: tuple[Accuracy, ...] = ()

    @property
    def off(self) -> float:
        """The newest loss above the best, as a share of it."""
        return change(self.best.loss, self.last.loss) if self.best and self.last else 0.0

    @property
    def scatter(self) -> float:
        """How far above the best a loss may be by chance, as a share: as far as this run came back from before, and
        `SIGMAS` standard deviations of its noise. One wild eval must not hide all that follows: see `beyond`."""
        if self.best is None or len(self.bends) < BENDS_NEEDED:
            return self.recovered
        noise = sorted(self.bends)[len(self.bends) // 2] / MEDIAN_BEND
        return max(self.recovered, SIGMAS * noise / max(abs(self.best.loss), TINY))

    def beyond(self, share: float, settings: Settings) -> bool:
        """Whether the newest loss is above the best by more than `share` and by more than it scatters.

        At most twice `off_best_stop` is taken for scatter.
        """
        return self.off > max(share, min(self.scatter, 2 * settings.off_best_stop))

    def next(self, record: Record, losses: Sequence[float], since: int, settings: Settings) -> Evals:
        """With one more eval.

        Args:
            record: an `eval` event of a later step.
            losses: train losses of the last logged steps.
            since: how many were logged since the eval before; may be more than there are in `losses`.
        """
        step, loss = record["step"], record["eval_loss"]
        accuracies = tuple(_accuracies(self.accuracies, record))
        if loss is None:
            return Evals(**{**_fields(self), "step": step, "accuracies": accuracies})
        recent = losses[-since:] if since else ()
        trend = _mean(losses[-max(since, FEW) :])
        point = Point(step, number(record["epoch"]), float(loss), _mean(recent), trend, len(recent))
        best = point if self.best is None or point.loss < self.best.loss else self.best
        off = change(best.loss, point.loss)
        back = off <= self.peak / 2
        bends = self.bends
        if self.last is not None and self.previous is not None:
            bend = abs(self.last.loss - (self.previous + point.loss) / 2)
            bends = (*bends, bend)[-BENDS_KEPT:] if bends or point.loss > self.last.loss else ()
        rises = self.rises + 1 if self.last is not None and point.loss > self.last.loss else 0
        better = self.mark is None or change(self.mark.loss, point.loss) < -settings.plateau_change
        return Evals(
            step=step,
            last=point,
            best=best,
            mark=point if better else self.mark,
            stale=0 if better else self.stale + 1,
            rises=rises,
            rising=rises >= settings.rises or (self.rising and off > settings.min_rise),
            peak=off if back else max(self.peak, off),
            recovered=max(self.recovered, self.peak) if back else self.recovered,
            bends=bends,
            previous=self.last.loss if self.last else None,
            accuracies=accuracies,
        )


def _mean(values: Sequence[float]) -> float | None:
    return sum(values) / len(values) if values else None


def _fields(evals: Evals) -> dict[str, Any]:
    return {name: getattr(evals, name) for name in Evals.__slots__}


def _accuracies(before: tuple[Accuracy, ...], record: Record) -> Iterator[Accuracy]:
    known = {one.name: one for one in before}
    for name, value in _measured(record):
        old = known.pop(name, None)
        if old is None or value >= old.best:
            known[name] = Accuracy(name, value, value, record["step"], 0)
        else:
            known[name] = Accuracy(name, value, old.best, old.best_step, old.below + 1)
    yield from known.values()


def _measured(record: Record) -> Iterator[tuple[str, float]]:
    """The accuracies in a record whose names are known here: a log may name tasks as it likes."""
    found = number(record.get("token_accuracy"))
    if found is not None:
        yield "token accuracy", found
    tasks = record.get("tasks")
    for task, headline in HEADLINE.items():
        metrics = tasks.get(task) if isinstance(tasks, Mapping) else None
        found = number(metrics.get(headline)) if isinstance(metrics, Mapping) else None
        if found is not None:
            yield f"{task} accuracy", found
