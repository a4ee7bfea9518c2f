"""Thresholds of the health rules, apart from the preset: a log that names none is judged without pydantic."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias

if TYPE_CHECKING:
    from vlmft_core.preset.monitor_schema import Monitor

Settings: TypeAlias = "Monitor | Thresholds"


@dataclass(frozen=True)
class Thresholds:
    """The defaults of `preset.monitor_schema.Monitor`, which says what each of them means."""

    window: int = 50
    rises: int = 3
    min_rise: float = 0.01
    off_best_caution: float = 0.05
    off_best_stop: float = 0.15
    train_fall: float = 0.1
    flat_change: float = 0.02
    plateau_evals: int = 3
    plateau_change: float = 0.001
    gap_caution: float = 0.5
    gap_stop: float = 1.0
    accuracy_caution: int = 2
    accuracy_stop: int = 3
    grad_caution: float = 2.0
    grad_stop: float = 10.0
    grad_rise: float = 5.0
    skipped_stop: int = 3
    lr_deviation: float = 0.01
    loss_high: float = 6.0
    stall_steps: float = 5.0
    heartbeat_seconds: float = 60.0
    slow_data: float = 0.3
