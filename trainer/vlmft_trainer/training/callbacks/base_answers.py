"""Base answers: the base model's, measured before the first step."""

from __future__ import annotations

import json
from contextlib import nullcontext
from functools import partial
from typing import Any

from transformers import TrainerCallback

from vlmft_core.preset.schema import Preset
from vlmft_core.run_folder.events import EVAL
from vlmft_trainer.data.tasks import Scores
from vlmft_trainer.model.evaluate import answer_tasks
from vlmft_trainer.training.callbacks.stop_request import StopOnRequest, StopRequested
from vlmft_trainer.training.kept_points import KeptPoints
from vlmft_trainer.training.run_log import RunLog
from vlmft_trainer.training.weighted_trainer import WeightedTrainer


class BaseAnswers(TrainerCallback):  # type: ignore[misc]
    """Answers eval questions when the training begins, and writes an `eval` event of step 0.

    A fresh adapter changes nothing, so these are the base's answers; one that has learnt is turned off for them. It has
    to be this late because generating under ZeRO-3 needs DeepSpeed's engine, which exists only now.
    """

    def __init__(
        self, trainer: WeightedTrainer, preset: Preset, stop: StopOnRequest, log: RunLog, kept: KeptPoints
    ) -> None:
        self._trainer = trainer
        self._preset = preset
        self._stop = stop
        self._log = log
        self.kept = kept
        """What is known of single questions."""
        self.scores: dict[str, Scores] = {}
        """By task; empty if no answers are wanted. A resumed run is given those of its first start."""

    def on_train_begin(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        self._stop.check()
        if self._preset.evaluation.answers == 0 or self.scores:
            return
        self._log.note("the base model answers eval questions")
        with self._trainer.model.disable_adapter() if self._preset.lora.start_from else nullcontext():
            scores = answer_tasks(
                self._trainer.model,
                self._trainer.eval_dataset,
                self._preset.evaluation,
                self._preset.data.workers,
                self._stop.asked,
                keep=partial(self.kept.keep, 0),
            )
        if scores is None:
            raise StopRequested
        self.scores = scores
        self._log.write(EVAL, step=0, epoch=0.0, eval_loss=None, token_accuracy=None, tasks=scores)
        self._log.say(f"base model: {json.dumps(scores)}")
