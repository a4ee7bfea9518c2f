"""Weighted trainer: transformers' Trainer with this project's loss weighting, eval and checkpoints."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import torch
from transformers import Trainer

from vlmft_trainer.data.order import MicroBatches, MicroBatchLoader
from vlmft_trainer.data.prefixes import Groups
from vlmft_trainer.distributed import ranks
from vlmft_trainer.model.adapter import save_adapter
from vlmft_trainer.model.evaluate import EvalResult, Stop, mean_loss
from vlmft_trainer.model.inputs import on_device
from vlmft_trainer.model.loss import answer_loss
from vlmft_trainer.training.checkpoint_manager import CheckpointManager
from vlmft_trainer.training.throughput import StepMeter

Batch = dict[str, Any]


class WeightedTrainer(Trainer):  # type: ignore[misc]
    """Every supervised token of an effective batch weighs the same, on whatever rank and in whatever micro-batch.

    The library's own way, a mean of the micro-batches' means, gives a token in a batch of short answers more weight
    than one in a batch of long answers, and lets results depend on how the effective batch is split.

    Args:
        checkpoints: where and how checkpoints are completed and rotated.
        stop: whether the run was asked to stop, the same on all ranks.
        packed: whether `data_collator` makes rows without padding.
        groups: training samples that share what they begin with; `data_collator` must know how.
        kwargs: as for `transformers.Trainer`.
    """

    loss_is_scaled_for_ga = True

    def __init__(
        self,
        *,
        checkpoints: CheckpointManager,
        stop: Stop,
        packed: bool = False,
        groups: Groups | None = None,
        **kwargs: Any,
    ) -> None:
        self.control: Any
        super().__init__(**kwargs)
        self.packed = packed
        self.groups = groups
        self.checkpoints = checkpoints
        self.stop = stop
        self.meter = StepMeter()
        # The library would read each loss back to look at it: a micro-batch could only be begun after the last one.
        self.filters_losses, self.args.logging_nan_inf_filter = self.args.logging_nan_inf_filter, False
        """Whether the library's own log repeats the last finite loss in place of one that is not."""
        self._finite_loss = torch.zeros(())
        self.last_eval: tuple[int, EvalResult] | None = None
        """Step and result of the newest eval."""

    def get_train_dataloader(self) -> MicroBatchLoader:
        """This rank's micro-batches. They are this project's own, so the library's sharding is not asked."""
        args, samples, world = self.args, self.train_dataset, ranks.world_size()
        order = MicroBatches(
            samples.lengths or [1] * len(samples),
            effective_batch=args.per_device_train_batch_size * args.gradient_accumulation_steps * world,
            micro_batch=args.per_device_train_batch_size,
            packed=self.packed,
            seed=args.data_seed,
            rank=ranks.rank(),
            world=world,
            groups=self.groups,
        )
        return MicroBatchLoader(
            samples,
            batch_sampler=order,
            collate_fn=self.data_collator,
            num_workers=args.dataloader_num_workers,
            persistent_workers=args.dataloader_persistent_workers,
            prefetch_factor=args.dataloader_prefetch_factor,
            pin_memory=args.dataloader_pin_memory,
            generator=torch.Generator(),  # its own, so that loading does not move the training's random numbers
        )

    def get_batch_samples(
        self, epoch_iterator: Iterator[Batch], num_batches: int, device: torch.device
    ) -> tuple[list[Batch], torch.Tensor]:
        """One optimizer step's micro-batches, and the supervised tokens in them over all ranks."""
        self.meter.fetch()
        batches = list(itertools.islice(epoch_iterator, num_batches))
        self.meter.fetched()
        return batches, self.meter.batch(batches).clamp(min=1)

    def _prepare_inputs(self, inputs: Batch) -> Batch:
        """A micro-batch on this rank's device. The library would convert what is a float, and wait for each copy."""
        return on_device(inputs, self.args.device)

    def compute_loss(
        self,
        model: Any,
        inputs: Batch,
        return_outputs: bool = False,
        num_items_in_batch: torch.Tensor | None = None,
    ) -> torch.Tensor:
        """A micro-batch's share of the effective batch's mean loss.

        Gradients are averaged over ranks afterwards, so each rank's share is multiplied by their number.
        """
        assert num_items_in_batch is not None
        return answer_loss(model, inputs).nll * ranks.world_size() / num_items_in_batch

    def training_step(self, model: Any, inputs: Batch, num_items_in_batch: torch.Tensor | None = None) -> torch.Tensor:
        loss: torch.Tensor = super().training_step(model, inputs, num_items_in_batch)
        self.meter.micro_batch(loss)
        if not self.filters_losses:
            return loss
        self._finite_loss = torch.where(loss.isfinite(), loss, self._finite_loss.to(loss.device))
        return self._finite_loss

    def evaluate(self, *args: Any, **kwargs: Any) -> dict[str, float]:
        """Loss and token accuracy on the eval samples, in the library's names.

        Stopped in the middle, the figures are NaN and training ends with this step.
        """
        result = mean_loss(
            self.model_wrapped,
            self.eval_dataset,
            batch_size=self.args.per_device_eval_batch_size,
            packed=self.packed,
            share=self.groups is not None,
            workers=self.args.dataloader_num_workers,
            stop=self.stop,
        )
        if result is None:
            self.control.should_evaluate = False
            self.control.should_training_stop = True
            return {"eval_loss": float("nan"), "eval_token_accuracy": float("nan")}
        self.last_eval = (self.state.global_step, result)
        metrics = {
            "eval_loss": result.eval_loss,
            "eval_token_accuracy": result.token_accuracy,
            "eval_samples": result.samples,
            "eval_runtime": result.runtime_s,
        }
        self.log(metrics)
        self.control = self.callback_handler.on_evaluate(self.args, self.state, self.control, metrics)
        return metrics

    def save_model(self, output_dir: str | None = None, _internal_call: bool = False) -> None:
        """Save the adapter alone; the library would first copy all of the base's weights."""
        save_adapter(self.model, Path(output_dir or self.args.output_dir))

    def _save_checkpoint(self, model: Any, trial: Any) -> None:
        """The library's checkpoint (adapter, DeepSpeed's state, random states), then completed and rotated."""
        if not self.checkpoints.has_room():
            return
        super()._save_checkpoint(model, trial)
        step = self.state.global_step
        result = self.last_eval[1] if self.last_eval and self.last_eval[0] == step else None
        figures = (result.eval_loss, result.token_accuracy) if result else (None, None)
        self.checkpoints.complete(step, *figures)
