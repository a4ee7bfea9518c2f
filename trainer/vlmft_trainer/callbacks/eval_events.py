"""`eval` events: loss and token accuracy after each eval of the training."""

from __future__ import annotations

from typing import Any

from transformers import TrainerCallback

from vlmft_trainer.events import EVAL
from vlmft_trainer.run_log import RunLog


class EvalEvents(TrainerCallback):  # type: ignore[misc]
    """Writes an `eval` event whenever the trainer has evaluated."""

    def __init__(self, log: RunLog) -> None:
        self._log = log

    def on_evaluate(self, args: Any, state: Any, control: Any, metrics: dict[str, float], **kwargs: Any) -> None:
        self._log.write(
            EVAL,
            step=state.global_step,
            epoch=state.epoch,
            eval_loss=metrics["eval_loss"],
            token_accuracy=metrics["eval_token_accuracy"],
            samples=metrics["eval_samples"],
            runtime_s=metrics["eval_runtime"],
        )
