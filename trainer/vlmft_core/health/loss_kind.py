"""Loss kind: what the losses of a log are, as far as the rules must know; told by its figures and metrics."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from vlmft_core.health.figures import number

LOOKED_AT = 64
"""Steps whose metrics' names are looked at, beside those of all evals: what a training logs comes early."""
LARGEST = 13.0
"""A model that knows nothing has a loss of ln(vocabulary) a token, 11.9 for 152,000 tokens, and little more."""
OTHER_SCALE = 2.5
"""A train loss so many times the first eval loss is on another scale: summed, or not divided by accumulated steps."""

_REWARD = re.compile(
    r"(^|[/_.\s-])(rewards?|rew|approx_?kl|advantages?|exploration_rate)([/_.\s-]|$)|(^|/)kl$", re.IGNORECASE
)
_OTHER_TASK = re.compile(
    r"(^|[/_.\s-])(wer|cer|mse|rmse|mae|pearsonr?|spearmanr?|auc|iou|miou|map|ndcg|mrr)$", re.IGNORECASE
)


@dataclass(frozen=True, slots=True)
class LossKind:
    """What is known so far. `after_…` make that with one more record; nothing here ever changes."""

    own: bool = False
    """The log is of our own training program."""
    reward: str = ""
    """A metric that only a training by reward or preference has."""
    other_task: str = ""
    """A metric that no language model has whose loss is told per token."""
    first: float | None = None
    """The first train loss."""
    first_eval: float | None = None
    level: float | None = None
    """The train loss beside it."""
    negative: bool = False
    """An eval loss was below 0: it is no cross entropy."""

    @property
    def per_token(self) -> bool:
        """Whether the losses plainly are cross entropies of a token, so that their height says something."""
        if self.own:
            return True
        if self.reward or self.other_task or self.negative or max(self.first or 0, self.first_eval or 0) > LARGEST:
            return False
        both = self.level is not None and self.first_eval is not None
        return not both or self.level <= OTHER_SCALE * self.first_eval  # type: ignore[operator]

    @property
    def unjudged(self) -> str:
        """Why the eval losses say nothing about overfitting; empty where they do."""
        if self.reward:
            return f"the training goes by reward or preference (it logs {self.reward[:60]})"
        return "the eval loss is below 0: it is no cross entropy" if self.negative else ""

    def after_metrics(self, metrics: Any) -> LossKind:
        """With the names of one more record's metrics."""
        if not isinstance(metrics, Mapping):
            return self
        found = self
        for name, value in metrics.items():
            if number(value) is None or not isinstance(name, str):
                continue
            if not found.reward and _REWARD.search(name):
                found = replace(found, reward=name)
            if not found.other_task and _OTHER_TASK.search(name):
                found = replace(found, other_task=name)
        return found

    def after_eval(self, loss: float, level: float | None) -> LossKind:
        """With one more eval loss, and the train loss beside it."""
        if self.first_eval is None:
            return replace(self, first_eval=loss, level=level, negative=loss < 0)
        return replace(self, negative=True) if loss < 0 and not self.negative else self
