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
            value = (list(value), list(value.superseded), value.low, value.high)
        shown[each.name] = value
    shown["health"] = state.findings
    shown["speed"] = state.pulse.steps_per_second
    return shown
