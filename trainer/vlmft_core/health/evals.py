"""Evals so far, and what they come to: best, rises, scatter, accuracies; carried from one eval to the next."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from vlmft_core.health.accuracies import Accuracy, after
from vlmft_core.health.figures import TINY, change, number
from vlmft_core.health.scatter import Scatter, risen_together
from vlmft_core.health.thresholds import Settings
from vlmft_core.run_folder.events import Record

FEW = 10
"""Train losses that make a mean to go by. Where fewer are logged between two evals, earlier ones are looked at too."""


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
        """Whether the train loss has fallen since `best`, in the trend too; taken for granted where the log tells none.

        Args:
            share: the fall that counts between two single losses. A mean scatters less, by the root of their number.
        """
        share /= math.sqrt(max(1, min(best.count, self.count)))
        pairs = ((best.level, self.level), (best.trend, self.trend))
        return all(a is None or b is None or change(a, b) <= -share for a, b in pairs)


@dataclass(frozen=True, slots=True)
class Evals:
    """The evals up to one of them. `next` makes the following one; nothing here ever changes."""

    step: int = -1
    """Of the newest eval."""
    epoch: float | None = None
    """The same."""
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
    scatter: Scatter = field(default_factory=Scatter)
    """Of the logarithms of the losses: noise grows with the loss."""
    accuracies: tuple[Accuracy, ...] = ()

    @property
    def off(self) -> float:
        """The newest loss above the best, as a share of it."""
        return change(self.best.loss, self.last.loss) if self.best and self.last else 0.0

    def risen(self, more: float = 0.0) -> bool:
        """Whether the loss surely has risen: by its own figures, or by them and the accuracies together.

        Args:
            more: standard deviations by which it must, beside the usual ones.
        """
        if self.scatter.risen(more=more):
            return True
        beside = [one.scatter for one in self.accuracies if one.scatter.count == self.scatter.count]
        return bool(beside) and risen_together([self.scatter, *beside], more)

    def repeats(self, record: Record) -> bool:
        """Whether an `eval` event tells of no later eval. A log without steps tells several evals at one step."""
        step, epoch = record["step"], number(record["epoch"])
        later = epoch is not None and self.epoch is not None and epoch > self.epoch
        return step < self.step or (step == self.step and not later)

    def next(self, record: Record, losses: Sequence[float], since: int, settings: Settings) -> Evals:
        """With one more eval.

        Args:
            record: an `eval` event of a later eval.
            losses: train losses of the last logged steps.
            since: how many were logged since the eval before; may be more than there are in `losses`.
        """
        step, loss, epoch = record["step"], record["eval_loss"], number(record["epoch"])
        accuracies = after(self.accuracies, record)
        if loss is None:
            return replace(self, step=step, epoch=epoch, accuracies=accuracies)
        point = self._point(step, epoch, float(loss), losses, since)
        best = point if self.best is None or point.loss < self.best.loss else self.best
        rises = self.rises + 1 if self.last is not None and point.loss > self.last.loss else 0
        better = self.mark is None or change(self.mark.loss, point.loss) < -settings.plateau_change
        return Evals(
            step=step,
            epoch=epoch,
            last=point,
            best=best,
            mark=point if better else self.mark,
            stale=0 if better else self.stale + 1,
            rises=rises,
            rising=rises >= settings.rises or (self.rising and change(best.loss, point.loss) > settings.min_rise),
            scatter=self.scatter.next(math.log(max(point.loss, TINY))),
            accuracies=accuracies,
        )

    def _point(self, step: int, epoch: float | None, loss: float, losses: Sequence[float], since: int) -> Point:
        if not since and self.last is not None:  # no step was logged in between: the train loss is what it was
            return replace(self.last, step=step, epoch=epoch, loss=loss)
        recent = losses[-since:] if since else ()
        return Point(step, epoch, loss, _mean(recent), _mean(losses[-max(since, FEW) :]), len(recent))


def _mean(values: Sequence[float]) -> float | None:
    return sum(values) / len(values) if values else None
