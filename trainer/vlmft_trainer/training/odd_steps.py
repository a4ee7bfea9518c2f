"""Odd steps: those whose loss or gradient is not finite, or far above what it was, with the rows trained on."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Sequence
from statistics import median
from typing import Final

import torch

from vlmft_core.figures import figure
from vlmft_core.run_folder.events import ROWS
from vlmft_trainer.data.order import MicroBatches
from vlmft_trainer.data.samples import Samples
from vlmft_trainer.distributed import ranks
from vlmft_trainer.training.run_log import RunLog

MOST: Final = 20
"""Odd steps that are named since the start: once the weights are broken, every step is one."""
MOST_ROWS: Final = 512
"""Rows named of one step; `vlmft data step` names all."""
WINDOW: Final = 50
"""Steps before, that a step is compared with."""
FEWEST: Final = 20
"""Of these at least so many are needed."""
LOSS_TIMES: Final = 1.5
"""A spike of the loss is so many times the median, and"""
LOSS_SCATTERS: Final = 8.0
"""so many times the scatter above it (the median absolute deviation, scaled to a standard deviation by 1.4826)."""
GRADIENT_TIMES: Final = 10.0
"""A spike of the gradient norm is so many times the median: it varies much more."""


class OddSteps:
    """Looks at each step, and writes a `rows` event for an odd one. Every rank calls it: each knows what it lost on its
    micro-batches.

    Args:
        order: which samples are in a step.
        samples: the training data.
        log: where events go.
    """

    def __init__(self, order: MicroBatches, samples: Samples, log: RunLog) -> None:
        self._order = order
        self._samples = samples
        self._log = log
        self._losses: deque[float] = deque(maxlen=WINDOW)
        self._gradients: deque[float] = deque(maxlen=WINDOW)
        self._spikes = 0
        self._told = 0

    def look(
        self, steps: Sequence[int], loss: float, gradient: float | None, micro_losses: Sequence[torch.Tensor]
    ) -> None:
        """Judge what was logged.

        Args:
            steps: those since the last look; usually one.
            loss: their mean, the same on every rank.
            gradient: the norm of the last one; None where it is not known.
            micro_losses: this rank's shares of the last one's loss.
        """
        by_loss, by_gradient = self._why_loss(loss), self._why_gradient(gradient)
        if math.isfinite(loss):
            self._losses.append(loss)
        if gradient is not None and math.isfinite(gradient):
            self._gradients.append(gradient)
        if not (by_loss or by_gradient):
            return
        # By the loss alone all ranks decide alike, whatever each knows of the gradient: they must ask each other.
        self._spikes += bool(by_loss)
        asks = by_loss and self._spikes <= MOST and len(steps) == 1
        worst = _worst(ranks.gather([float(one) for one in micro_losses])) if asks else []
        self._told += 1
        if ranks.rank() == 0 and self._told <= MOST:
            self._tell(steps, by_loss or by_gradient, worst)

    def _tell(self, steps: Sequence[int], why: str, worst: list[int]) -> None:
        for step in steps:
            parts = self._order.of_step(step)
            rows = [sample for part in parts for sample in part]
            suspects = [sample for number in worst if number < len(parts) for sample in parts[number]]
            if len(suspects) == len(rows):
                suspects = []
            self._log.write(
                ROWS,
                step=step,
                why=why,
                rows=self._where(rows),
                of=len(rows),
                suspects=self._where(suspects),
            )

    def _where(self, samples: list[int]) -> list[str]:
        taken = (self._samples.taken(sample) for sample in samples[:MOST_ROWS])
        return list(dict.fromkeys(self._samples.where(sample) for sample in taken))

    def _why_loss(self, loss: float) -> str:
        if not math.isfinite(loss):
            return "the loss is not finite"
        if len(self._losses) < FEWEST:
            return ""
        usual = median(self._losses)
        scatter = 1.4826 * median(abs(one - usual) for one in self._losses)
        if loss <= LOSS_TIMES * usual or loss - usual <= LOSS_SCATTERS * scatter:
            return ""
        return f"loss {figure(loss)}, {_times(loss, usual)} of the {len(self._losses)} steps before"

    def _why_gradient(self, gradient: float | None) -> str:
        if gradient is None:
            return ""
        if not math.isfinite(gradient):
            return "the gradient is not finite"
        if len(self._gradients) < FEWEST or gradient <= GRADIENT_TIMES * (usual := median(self._gradients)):
            return ""
        return f"gradient norm {figure(gradient)}, {_times(gradient, usual)} of the {len(self._gradients)} steps before"


def _times(value: float, usual: float) -> str:
    """How far a value is above the usual one, which may be 0 where a training knows its data by heart."""
    return f"{value / usual:.1f} times the median" if usual else "above the median 0"


def _worst(losses: list[list[float]]) -> list[int]:
    """The micro-batches, as `of_step` counts them, whose loss is not finite; else the one with the largest.

    Args:
        losses: of each rank, one for each of its micro-batches.
    """
    world = len(losses)
    known = {rank + world * number: loss for rank, mine in enumerate(losses) for number, loss in enumerate(mine)}
    broken = [number for number, loss in known.items() if not math.isfinite(loss)]
    return sorted(broken or sorted(known, key=known.__getitem__)[-1:])
