"""Heartbeat: a sign of life every ten seconds, from a thread: it goes on while a long step, eval or save runs."""

from __future__ import annotations

import threading
from typing import Any, Self

from transformers import TrainerCallback

from vlmft_core.run_folder.events import HEARTBEAT
from vlmft_trainer.training.run_log import RunLog

SECONDS = 10.0


class Heartbeat(TrainerCallback):  # type: ignore[misc]
    """Writes `heartbeat` events while it is entered, and none after that.

    `phase` is `starting`, `step`, or `between steps`: only a step that takes too long is a stall.
    """

    def __init__(self, log: RunLog, seconds: float = SECONDS) -> None:
        self._log = log
        self._seconds = seconds
        self._step = 0
        self._phase = "starting"
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._beat, name="heartbeat", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stopped.set()
        self._thread.join()

    def _beat(self) -> None:
        while not self._stopped.wait(self._seconds):
            self._log.write(HEARTBEAT, step=self._step, phase=self._phase)

    def on_step_begin(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        self._phase = "step"

    def on_step_end(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        self._step = state.global_step
        self._phase = "between steps"  # an eval or a save may take long without anything being wrong
