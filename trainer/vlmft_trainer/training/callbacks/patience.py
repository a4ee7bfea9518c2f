"""Patience: how long ranks wait for each other, much shorter once the first step is done."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from transformers import TrainerCallback

from vlmft_trainer.distributed import ranks


class Patience(TrainerCallback):  # type: ignore[misc]
    """Shortens the wait after the first step: before, rank 0 may download, and kernels are compiled.

    What comes later keeps no rank waiting for long, whatever it takes in all: ranks meet after each batch of an eval or
    of answers; alone rank 0 only completes a checkpoint, and writes the adapter.

    Args:
        minutes: the longest wait from then on.
    """

    def __init__(self, minutes: float) -> None:
        self._patience = timedelta(minutes=minutes)
        self._set = False

    def on_step_end(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        if not self._set:
            self._set = True
            ranks.set_patience(self._patience)
