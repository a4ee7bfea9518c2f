"""Stop on request: a file in the run folder, or a signal. All ranks stop at the same step."""

from __future__ import annotations

import signal
from types import FrameType
from typing import Any, Final, Self

from transformers import TrainerCallback

from vlmft_core.run_folder.layout import RunLayout
from vlmft_core.run_folder.stop import StopRequest
from vlmft_trainer.distributed import ranks

SIGNALS: Final = (signal.SIGTERM, signal.SIGUSR1)
"""What asks a rank to stop: both are what schedulers send before a time limit or to make room for another job."""


class StopRequested(Exception):
    """The run was asked to stop before or after training itself; raised on all ranks alike."""


class StopOnRequest(TrainerCallback):  # type: ignore[misc]
    """Looks for a request at the end of each step, and wherever `asked` is called. A signal is one while it is entered.

    Args:
        run: whose stop request rank 0 looks for.
    """

    def __init__(self, run: RunLayout) -> None:
        self._run = run
        self._signal = 0
        self.by: str | None = None
        """What asked, once all ranks know of it: `stop.json`, which a person or a supervisor left, or the signal's
        name."""

    def __enter__(self) -> Self:
        self._before = {number: signal.signal(number, self._on_signal) for number in SIGNALS}
        return self

    def __exit__(self, *_: object) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)

    def _on_signal(self, number: int, frame: FrameType | None) -> None:
        self._signal = number

    @property
    def agreed(self) -> bool:
        """All ranks know of the request."""
        return self.by is not None

    @property
    def said(self) -> str:
        """How the run ended, for its reason."""
        return "stopped on request" if self.by == self._run.stop_file.name else f"stopped by {self.by}"

    def asked(self) -> bool:
        """Whether any rank has seen a request. Every rank calls it, and gets the same answer: a rank that stopped
        alone would leave the others waiting for it."""
        if not self.agreed:
            filed = ranks.rank() == 0 and StopRequest.read(self._run) is not None
            by_file, number = map(int, ranks.all_reduce_max([filed, self._signal]))
            if by_file:
                self.by = self._run.stop_file.name
            elif number:
                self.by = signal.Signals(number).name
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
