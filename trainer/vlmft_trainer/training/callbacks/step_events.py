"""`step` events: what a step took and gave."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from transformers import TrainerCallback

from vlmft_core.figures import counted
from vlmft_core.plan.flops import Work
from vlmft_core.run_folder.events import STEP
from vlmft_trainer.training.odd_steps import OddSteps
from vlmft_trainer.training.run_log import RunLog
from vlmft_trainer.training.weighted_trainer import WeightedTrainer


class StepEvents(TrainerCallback):  # type: ignore[misc]
    """Writes a `step` event whenever the trainer logs a loss. Every rank runs it; rank 0 writes.

    `loss` is the unfiltered one: null, and named in `nonfinite`, when any rank saw a NaN. `lr` is the learning rate
    that the step used. `mfu` is the share of the GPUs' peak that `vlmft_core.plan.flops` accounts for, 0 to 1.

    Args:
        trainer: whose steps.
        log: where they go.
        mfu: the share, given work and seconds; without it the field is null.
        odd: names the data of steps that are out of the ordinary.
    """

    def __init__(
        self,
        trainer: WeightedTrainer,
        log: RunLog,
        mfu: Callable[[Work, float], float] | None = None,
        odd: OddSteps | None = None,
    ) -> None:
        self._trainer = trainer
        self._log = log
        self._mfu = mfu
        self._odd = odd
        self._replaced = 0

    def on_step_end(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        self._trainer.meter.step()

    def on_log(self, args: Any, state: Any, control: Any, logs: dict[str, Any], **kwargs: Any) -> None:
        if "loss" not in logs:
            return
        figures = self._trainer.meter.read(int(self._trainer.train_dataset.replaced))
        if self._odd:  # first: whoever judges the step can name its data
            last = state.global_step
            steps = range(last - figures.steps + 1, last + 1)
            self._odd.look(steps, figures.loss, logs.get("grad_norm"), self._trainer.meter.micro_losses)
        self._log.write(
            STEP,
            step=state.global_step,
            epoch=state.epoch,
            loss=figures.loss,
            lr=logs["learning_rate"],
            grad_norm=logs.get("grad_norm"),
            step_s=figures.seconds / figures.steps,
            data_s=figures.data_seconds / figures.steps,
            samples_per_s=figures.samples / figures.seconds,
            tokens_per_s=figures.work.tokens / figures.seconds,
            supervised_tokens=figures.work.supervised,
            mfu=self._mfu(figures.work, figures.seconds) if self._mfu else None,
            skipped_steps=getattr(self._trainer.model_wrapped, "skipped_steps", 0),
            mem_gib=figures.memory_gib,
        )
        if figures.replaced > self._replaced:
            self._replaced = figures.replaced
            many = counted(figures.replaced, "image")
            self._log.note(f"{many} could not be decoded so far; other samples took their place")
