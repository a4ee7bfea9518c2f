"""Smoothing: how far back the average of the train loss looks, as a share of the steps that are seen."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from vlmft_console.history.state import RunState

SHARES: Final = (0.0, 0.01, 0.02, 0.05, 0.1, 0.2)
"""From the raw values to the smoothest curve."""
USUAL: Final = 0.05
_WEIGHTS: Final = (0.5, 0.8, 0.9, 0.95, 0.98, 0.99, 0.995, 0.998, 0.999, 0.9995, 0.9998, 0.9999, 0.99995, 0.99998)
"""Only so many, so that a run that grows is seldom averaged anew."""


def weight_for(share: float, points: float) -> float:
    """The weight of the past at which an exponential average looks back on about `share` of so many points.

    It looks back on 1 / (1 - weight) of them. 0 for no share; never less than 0.5 for any other.
    """
    if share <= 0:
        return 0.0
    wanted = math.log(max(1.0, share * points))
    return min(_WEIGHTS, key=lambda weight: abs(-math.log(1 - weight) - wanted))


def smooth(state: RunState, share: float = USUAL, span: float | None = None) -> None:
    """Average the train loss over a share of the steps that are seen.

    Args:
        state: its `smooth_loss` is set.
        share: one of `SHARES`.
        span: steps that are seen; all when None.
    """
    loss, points = state.train_loss, float(len(state.train_loss))
    if span is not None and loss.first and loss.last and loss.last[0] > loss.first[0]:
        points *= min(1.0, span / (loss.last[0] - loss.first[0]))
    state.smooth_loss.weight = weight_for(share, points)
