"""`eval` events: loss and token accuracy after each eval of the training, and what the model answers by then."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from transformers import TrainerCallback

from vlmft_core.run_folder.events import EVAL
from vlmft_trainer.data.tasks import Scores
from vlmft_trainer.training.run_log import RunLog


class EvalEvents(TrainerCallback):  # type: ignore[misc]
    """Writes an `eval` event whenever the trainer has evaluated.

    Args:
        answers: lets the model answer eval questions at a step, and returns scores by task, or None if it was stopped;
            None if no answers are wanted.
    """

    def __init__(self, log: RunLog, answers: Callable[[Any, int], dict[str, Scores] | None] | None = None) -> None:
        self._log = log
        self._answers = answers

    def on_evaluate(
        self, args: Any, state: Any, control: Any, metrics: dict[str, float], model: Any, **kwargs: Any
    ) -> None:
        tasks = self._answers(model, state.global_step) if self._answers else None
        if tasks:
            self._log.say(f"answers: {json.dumps(tasks)}")
        self._log.write(
            EVAL,
            step=state.global_step,
            epoch=state.epoch,
            eval_loss=metrics["eval_loss"],
            token_accuracy=metrics["eval_token_accuracy"],
            samples=metrics["eval_samples"],
            runtime_s=metrics["eval_runtime"],
            **({"tasks": tasks} if tasks else {}),
        )
