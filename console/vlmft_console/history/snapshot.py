"""Snapshot: a run's state at some moment, kept small: curves and lists only ever grow, so their length is enough."""

from __future__ import annotations

import copy
from collections import deque
from typing import Any

from vlmft_console.history.series import Series
from vlmft_console.history.state import RunState
from vlmft_core.health import Health


class Snapshot:
    """A moment of a state that goes on to take in records.

    Args:
        state: as it is now.
    """

    def __init__(self, state: RunState) -> None:
        self._kept = {name: _kept(value) for name, value in vars(state).items()}
        self._metrics = {name: series.moment() for name, series in state.metrics.items()}

    def of(self, later: RunState) -> RunState:
        """A state of its own, as it was at that moment.

        Args:
            later: the state that the snapshot was taken of, after any number of further records.
        """
        state = RunState(later.health.settings)
        for name, kept in self._kept.items():
            value = getattr(later, name)
            if isinstance(value, Series):
                kept = value.as_of(kept)
            elif isinstance(value, list):
                kept = value[:kept]
            setattr(state, name, _own(kept))
        state.smooth_loss = later.smooth_loss.copy_onto(state.train_loss, self._kept["smooth_loss"])
        state.metrics = {name: later.metrics[name].as_of(moment) for name, moment in self._metrics.items()}
        return state


def _kept(value: Any) -> Any:
    if isinstance(value, Series):
        return value.moment()
    return len(value) if isinstance(value, list) else _own(value)


def _own(value: Any) -> Any:
    """A copy of what records change in place."""
    if isinstance(value, Health):
        return copy.deepcopy(value)
    return value.copy() if isinstance(value, deque | set) else value
