"""`step` events: what a step took and gave."""

from __future__ import annotations

from typing import Any

from transformers import TrainerCallback

from vlmft_trainer.events import STEP
from vlmft_trainer.run_log import RunLog
from vlmft_trainer.weighted_trainer import WeightedTrainer


class StepEvents(TrainerCallback):  # type: ignore[misc]
    """Writes a `step` event whenever the trainer logs a loss. Every rank runs it; rank 0 writes.

    `loss` is the unfiltered one: null, and named in `nonfinite`, when any rank saw a NaN. `lr` is the learning rate
    that the step used.
    """

    def __init__(self, trainer: WeightedTrainer, log: RunLog) -> None:
        self._trainer = trainer
        self._log = log
        self._replaced = 0

    def on_step_end(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        self._trainer.meter.step()

    def on_log(self, args: Any, state: Any, control: Any, logs: dict[str, Any], **kwargs: Any) -> None:
        if "loss" not in logs:
            return
        figures = self._trainer.meter.read(int(self._trainer.train_dataset.replaced))
        self._log.write(
            STEP,
            step=state.global_step,
            epoch=state.epoch,
            loss=figures.loss,
            lr=logs["learning_rate"],
            grad_norm=logs.get("grad_norm"),
            step_s=figures.seconds / figures.steps,
            data_s=figures.data_seconds / figures.steps,
            samples_per_s=figures.size.samples / figures.seconds,
            tokens_per_s=figures.size.tokens / figures.seconds,
            supervised_tokens=figures.size.supervised,
            skipped_steps=getattr(self._trainer.model_wrapped, "skipped_steps", 0),
            mem_gib=figures.memory_gib,
        )
        if figures.replaced > self._replaced:
            self._replaced = figures.replaced
            self._log.note(f"{figures.replaced} images could not be decoded so far; other samples took their place")
