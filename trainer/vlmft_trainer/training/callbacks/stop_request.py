"""Stopping on request: a file in the run folder, or SIGTERM. All ranks stop at the same step."""

from __future__ import annotations

import signal
from pathlib import Path
from typing import Any, Self

from transformers import TrainerCallback

from vlmft_trainer.distributed import ranks

FILE = "stop.json"


class StopRequested(Exception):
    """The run was asked to stop before or after training itself; raised on all ranks alike."""


class StopRequest(TrainerCallback):  # type: ignore[misc]
    """Looks for a request at the end of each step, and wherever `asked` is called. SIGTERM is one while it is entered.

    Args:
        folder: the run folder; rank 0 looks for `stop.json` in it.
    """

    def __init__(self, folder: Path) -> None:
        self._file = folder / FILE
        self._signalled = False
        self.agreed = False
        """All ranks know of the request."""

    def __enter__(self) -> Self:
        self._before = signal.signal(signal.SIGTERM, self._on_signal)
        return self

    def __exit__(self, *_: object) -> None:
        signal.signal(signal.SIGTERM, self._before)

    def _on_signal(self, *_: Any) -> None:
        self._signalled = True

    def asked(self) -> bool:
        """Whether any rank has seen a request. Every rank calls it, and gets the same answer: a rank that stopped
        alone would leave the others waiting for it."""
        if not self.agreed:
            seen = self._signalled or (ranks.rank() == 0 and self._file.exists())
            self.agreed = ranks.any_rank(seen)
        return self.agreed

    def check(self) -> None:
        """Raise `StopRequested` if there is a request."""
        if self.asked():
            raise StopRequested

    def on_step_end(self, args: Any, state: Any, control: Any, **kwargs: Any) -> Any:
        if self.asked():
            control.should_evaluate = False
            control.should_save = True
            control.should_training_stop = True
        return control
