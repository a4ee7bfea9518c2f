"""Accuracies over the evals: the best of each, and whether the newest are lower by more than chance."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace

from vlmft_core.health.figures import number
from vlmft_core.health.scatter import Scatter
from vlmft_core.run_folder.events import Record
from vlmft_core.scoring.metrics import HEADLINE


@dataclass(frozen=True, slots=True)
class Accuracy:
    """One accuracy over the evals."""

    name: str
    value: float = 0.0
    best: float = -math.inf
    best_step: int = 0
    below: int = 0
    """Evals in a row whose accuracy is below the best, and prints otherwise."""
    questions: float | None = None
    """Answers that the newest value is the mean of, where the log tells it."""
    scatter: Scatter = field(default_factory=Scatter)
    """Of the accuracies taken negative: what falls here rises there."""

    def next(self, value: float, step: int, questions: float | None) -> Accuracy:
        """With one more eval's."""
        seen = replace(self, value=value, questions=questions, scatter=self.scatter.next(-value))
        if value >= self.best:
            return replace(seen, best=value, best_step=step, below=0)
        return replace(seen, below=self.below + 1 if f"{value:.1%}" != f"{self.best:.1%}" else 0)

    def fallen(self, more: float) -> bool:
        """Whether it surely is lower than it was: by more than it scattered until then, and more than the mean of as
        many independent answers does (binomial; counted as if one more was wrong and one more right, for those that
        happen to be all or none).

        Args:
            more: standard deviations by which it must be, beside the usual ones.
        """
        binomial = 0.0
        if self.questions is not None and self.questions >= 1:
            share = (self.best * self.questions + 1) / (self.questions + 2)
            binomial = math.sqrt(share * (1 - share) / self.questions)
        return self.scatter.risen(max(binomial, self.scatter.sure_noise(self.below)), more)


def after(known: tuple[Accuracy, ...], record: Record) -> tuple[Accuracy, ...]:
    """The accuracies with those of one more eval."""
    found = {one.name: one for one in known}
    for name, value, questions in _measured(record):
        before = found.pop(name, None) or Accuracy(name)
        found[name] = before.next(value, record["step"], questions)
    return tuple(found.values())


def _measured(record: Record) -> Iterator[tuple[str, float, float | None]]:
    """The accuracies in a record whose names are known here, with their questions: a log may name tasks as it likes."""
    found = number(record.get("token_accuracy"))
    if found is not None and 0 <= found <= 1:
        yield "token accuracy", found, None
    tasks = record.get("tasks")
    for task, headline in HEADLINE.items():
        metrics = tasks.get(task) if isinstance(tasks, Mapping) else None
        if isinstance(metrics, Mapping):
            found = number(metrics.get(headline))
            if found is not None and 0 <= found <= 1:
                yield f"{task} accuracy", found, number(metrics.get("n"))
