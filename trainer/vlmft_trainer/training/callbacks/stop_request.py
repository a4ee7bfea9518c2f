"""Stop on request: a file in the run folder, or SIGTERM. All ranks stop at the same step."""

from __future__ import annotations

import signal
from typing import Any, Self

from transformers import TrainerCallback

from vlmft_core.run_folder.layout import RunLayout
from vlmft_core.run_folder.stop import StopRequest
from vlmft_trainer.distributed import ranks


class StopRequested(Exception):
    """The run was asked to stop before or after training itself; raised on all ranks alike."""


class StopOnRequest(TrainerCallback):  # type: ignore[misc]
    """Looks for a request at the end of each step, and wherever `asked` is called. SIGTERM is one while it is entered.

    Args:
        run: whose stop request rank 0 looks for.
    """

    def __init__(self, run: RunLayout) -> None:
        self._run = run
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
            seen = self._signalled or (ranks.rank() == 0 and StopRequest.read(self._run) is not None)
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
