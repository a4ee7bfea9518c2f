"""What there is to compare of a run's state."""

from __future__ import annotations

from dataclasses import fields
from typing import Any

from vlmft_console.history.series import Series
from vlmft_console.history.state import RunState


def content(state: RunState) -> dict[str, Any]:
    """Everything that a screen can show of a state."""
    shown: dict[str, Any] = {}
    for each in fields(state):
        value = getattr(state, each.name)
        if isinstance(value, Series):
            value = _points(value)
        elif each.name == "metrics":
            value = {name: _points(series) for name, series in value.items()}
        shown[each.name] = value
    shown["health"] = state.findings
    shown["speed"] = state.pulse.steps_per_second
    return shown


def _points(series: Series) -> tuple[Any, ...]:
    return list(series), list(series.superseded), series.low, series.high
