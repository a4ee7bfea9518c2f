"""Training from the first to the last step, read top to bottom. Every rank runs it; rank 0 writes and speaks."""

from __future__ import annotations

import json
from contextlib import nullcontext
from dataclasses import dataclass
from functools import partial
from typing import Any

import torch
from transformers import PrinterCallback

from vlmft_core.cards.card import adapter_card, read_course
from vlmft_core.errors import VlmftError
from vlmft_core.plan.base_folder import resolve_base
from vlmft_core.run_folder.checkpoints import Checkpoint
from vlmft_core.run_folder.events import EARLY_STOPPED, EVAL, FINISHED, STOPPED
from vlmft_trainer.data.tasks import Scores
from vlmft_trainer.distributed import ranks
from vlmft_trainer.distributed.process_group import process_group
from vlmft_trainer.model.adapter import trained_shapes
from vlmft_trainer.model.evaluate import answer_tasks
from vlmft_trainer.training.build import build
from vlmft_trainer.training.callbacks.base_answers import BaseAnswers
from vlmft_trainer.training.callbacks.gpu_events import GpuEvents
from vlmft_trainer.training.callbacks.health_events import HealthEvents
from vlmft_trainer.training.callbacks.heartbeat import Heartbeat
from vlmft_trainer.training.callbacks.host_events import HostEvents
from vlmft_trainer.training.callbacks.stop_request import StopOnRequest, StopRequested
from vlmft_trainer.training.checkpoint_manager import rewrite_card, take_best, write_adapter
from vlmft_trainer.training.joining import join
from vlmft_trainer.training.options import Job
from vlmft_trainer.training.run_log import RunLog
from vlmft_trainer.training.safe_loading import check_tensors, only_tensors
from vlmft_trainer.training.weighted_trainer import WeightedTrainer


@dataclass(frozen=True)
class RunOutcome:
    """How a run ended, as `run_end` says it."""

    status: str
    reason: str = ""
    best_step: int | None = None
    best_eval_loss: float | None = None
    stopped_by: str | None = None


def train(job: Job, log: RunLog, start: Checkpoint | None) -> RunOutcome:
    """Train, and leave the adapter.

    Args:
        start: the checkpoint to resume from, as rank 0 has it.

    Raises:
        VlmftError: the data, the base model, the adapter's options or this machine cannot be used; all ranks raise it.
    """
    if job.preset.hardware.device == "cuda" and not torch.cuda.is_available():
        raise VlmftError("hardware.device is cuda, and this machine has no GPU", "set it to cpu to train without one")
    with process_group():
        return train_in_group(*join(job, start), log)


def train_in_group(job: Job, start: Checkpoint | None, log: RunLog) -> RunOutcome:
    """Train, all ranks having met."""
    stop = StopOnRequest(job.run)
    heartbeat = Heartbeat(log)
    health = HealthEvents(log, job.run, job.preset.monitor)
    with heartbeat, GpuEvents(log), HostEvents(log, job.run), stop:
        for note in job.notes:
            log.note(note)
        try:
            trainer, base_answers = build(job, log, stop, heartbeat, start)
            if ranks.rank() != 0:
                trainer.remove_callback(PrinterCallback)  # the library's, which speaks once a host
            trainer.add_callback(health)  # the last: it judges what the others write
            resumed = job.run.checkpoint(start.step) if start else None
            if resumed and not job.trust:
                ranks.together(lambda: check_tensors(resumed))
            with nullcontext() if job.trust else only_tensors():
                trainer.train(resume_from_checkpoint=str(resumed) if resumed else None)
        except StopRequested:
            return RunOutcome(STOPPED, f"{stop.said} before the first step", stopped_by=stop.by)
        return finish(job, log, stop, health, trainer, base_answers)


def eval_fields(chosen: Checkpoint | None, step: int, epoch: float) -> dict[str, Any]:
    """What an `eval` event says of the adapter that answers: the figures of its own step's eval.

    Args:
        step: where training ended, in steps.
        epoch: the same in epochs.
    """
    if chosen is None:
        return {"step": step, "epoch": epoch, "eval_loss": None, "token_accuracy": None}
    return {
        "step": chosen.step,
        "epoch": epoch * chosen.step / step,
        "eval_loss": chosen.eval_loss,
        "token_accuracy": chosen.token_accuracy,
    }


def finish(
    job: Job, log: RunLog, stop: StopOnRequest, health: HealthEvents, trainer: WeightedTrainer, before: BaseAnswers
) -> RunOutcome:
    """Write the best adapter and measure it."""
    preset, model, step = job.preset, trainer.model, trainer.state.global_step
    trained = trained_shapes(model)
    chosen = take_best(model, trainer.checkpoints, preset.checkpoints.load_best_model_at_end)

    def card(after: dict[str, Scores]) -> str:
        base, course = resolve_base(preset.model.base), read_course(job.run)
        return adapter_card(preset, base, chosen, step, (before.scores, after), course, trained)

    write_adapter(model, job.run, card({}) if ranks.rank() == 0 else "")
    log.say(f"the adapter is in {job.run.adapter.resolve()}")

    if preset.evaluation.answers and not stop.asked():
        log.note("the tuned model answers eval questions")
        fields = eval_fields(chosen, step, trainer.state.epoch)
        keep = partial(before.kept.keep, fields["step"])
        samples, settings = trainer.eval_dataset, preset.evaluation
        scores = answer_tasks(model, samples, settings, preset.data.workers, stop.asked, keep=keep)
        if scores is not None:
            log.write(EVAL, **fields, tasks=scores, against_base=before.kept.against_base(fields["step"]))
            log.say(f"tuned model: {json.dumps(scores)}")
            if ranks.rank() == 0:
                rewrite_card(job.run, card(scores))
    best = trainer.checkpoints.best() if ranks.rank() == 0 else None  # rank 0 alone writes it down
    best_step, best_loss = (best.step, best.eval_loss) if best else (None, None)
    if stop.agreed:
        return RunOutcome(STOPPED, f"{stop.said} at step {step}", best_step, best_loss, stop.by)
    if health.stopped:
        return RunOutcome(EARLY_STOPPED, f"stopped at step {step} by {health.reason}", best_step, best_loss)
    return RunOutcome(FINISHED, "", best_step, best_loss)
