"""Training from the first to the last step, read top to bottom. Every rank runs it; rank 0 writes and speaks."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from functools import partial
from typing import Any

import torch
from PIL import Image
from transformers import PrinterCallback

from vlmft_core.cards.card import adapter_card, read_course
from vlmft_core.errors import VlmftError
from vlmft_core.jobs import fingerprint
from vlmft_core.plan.activations import ALL, KEPT
from vlmft_core.plan.adapter_files import starting_adapter
from vlmft_core.plan.architecture import find_architecture, resolve_base
from vlmft_core.plan.lora_layers import trains_vision
from vlmft_core.plan.shared_memory import shared_memory_problem
from vlmft_core.preset import Preset
from vlmft_core.run_folder.checkpoints import Checkpoint, remove_unusable
from vlmft_core.run_folder.events import EARLY_STOPPED, EVAL, FINISHED, PLAN, STOPPED
from vlmft_core.run_folder.segments import base_scores
from vlmft_trainer.data.collate import pad_collator
from vlmft_trainer.data.packing import pack_collator
from vlmft_trainer.data.samples import RunData, prepare
from vlmft_trainer.data.tasks import Scores
from vlmft_trainer.distributed import ranks
from vlmft_trainer.distributed.environment import ranks_here
from vlmft_trainer.distributed.process_group import process_group
from vlmft_trainer.model.adapter import add_adapter, start_from, trained_shapes
from vlmft_trainer.model.evaluate import answer_tasks
from vlmft_trainer.model.fused import fused_problem, use_fused_kernels
from vlmft_trainer.model.load import (
    assert_positions,
    choose_kernels,
    count_parameters,
    load_base,
    load_encoder,
    prepare_training,
)
from vlmft_trainer.training.callbacks.base_answers import BaseAnswers
from vlmft_trainer.training.callbacks.eval_events import EvalEvents
from vlmft_trainer.training.callbacks.gpu_events import GpuEvents
from vlmft_trainer.training.callbacks.health_events import HealthEvents
from vlmft_trainer.training.callbacks.heartbeat import Heartbeat
from vlmft_trainer.training.callbacks.host_events import HostEvents
from vlmft_trainer.training.callbacks.patience import Patience
from vlmft_trainer.training.callbacks.rope_precision import RopePrecision
from vlmft_trainer.training.callbacks.step_events import StepEvents
from vlmft_trainer.training.callbacks.stop_request import StopOnRequest, StopRequested
from vlmft_trainer.training.checkpoint_manager import CheckpointManager, rewrite_card, take_best, write_adapter
from vlmft_trainer.training.joining import join
from vlmft_trainer.training.kept_answers import KeptAnswers
from vlmft_trainer.training.kept_points import KeptPoints
from vlmft_trainer.training.odd_steps import OddSteps
from vlmft_trainer.training.options import Job
from vlmft_trainer.training.recompute import choose_recomputation
from vlmft_trainer.training.run_log import RunLog
from vlmft_trainer.training.run_plan import DATA, PLANNED, check_same_plan, compare_data, steps_plan
from vlmft_trainer.training.safe_loading import check_tensors, only_tensors
from vlmft_trainer.training.sharing import SHARING, choose_sharing
from vlmft_trainer.training.throughput import find_mfu
from vlmft_trainer.training.training_args import training_args
from vlmft_trainer.training.weighted_trainer import WeightedTrainer


@dataclass(frozen=True)
class RunOutcome:
    """How a run ended, as `run_end` says it."""

    status: str
    reason: str = ""
    best_step: int | None = None
    best_eval_loss: float | None = None
    stopped_by: str | None = None


CHECKPOINT_BYTES = 20
"""A checkpoint's size for each trainable parameter, at most (measured with fp32 weights; bf16 takes 14 to 16)."""


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


def build(
    job: Job, log: RunLog, stop: StopOnRequest, heartbeat: Heartbeat, start: Checkpoint | None
) -> tuple[WeightedTrainer, BaseAnswers]:
    """Everything that has to be there for the first step."""
    preset = job.preset
    kernels = choose_kernels(preset.model)
    for note in kernels.notes:
        log.note(note)

    base = resolve_base(preset.model.base)
    encoder = ranks.host_first(lambda: load_encoder(base, preset.data.max_pixels, preset.data.min_pixels))
    log.note("checking the data")
    data = prepare(preset.data, encoder)
    for note in data.notes:
        log.note(note)
    ranks.together(lambda: check_shared_memory(preset, data.train.lengths or ()))
    stop.check()

    shared, kernels, note = choose_sharing(preset.training, kernels, data.train, start)
    if note:
        log.note(note)
    plan = steps_plan(preset, data) | {SHARING: shared}
    if start:
        check_same_plan(plan, start)
        for note in compare_data(plan, start, data_changed=job.data_changed):
            log.note(note)
        if ranks.rank() == 0:
            for name in remove_unusable(job.run, start.step):
                log.note(f"{name} was not complete or not intact and is deleted")
        log.note(f"resuming from step {start.step}")
    architecture = find_architecture(preset.model.base)
    expected = architecture.lora_parameters(preset.lora) if architecture else None
    args = training_args(preset, kernels, job.run.path, plan["warmup_steps"], expected)
    log.note(f"loading the base model {preset.model.base}")
    model = ranks.together(
        lambda: add_adapter(load_base(base, kernels, preset.model.quantization), preset.lora, preset.training.seed)
    )
    if not start and (earlier := starting_adapter(preset.lora, preset.model.base)):  # a checkpoint has the weights
        log.note(f"training goes on from the adapter {earlier.folder} (sha256 {fingerprint(earlier.folder)[:12]})")
        ranks.together(lambda: start_from(model, earlier, log.note))
    fused = kernels.fused and fuse(model, log)
    trainable, total = count_parameters(model)
    collator = pack_collator(encoder, share=shared) if preset.training.packing else pad_collator(encoder)
    # Not a sample of the data: the first ones may have no image.
    assert_positions(model, collator([encoder.sample("?", "!", Image.new("RGB", (112, 84)))]))
    stop.check()

    kept = KeptPoints(job.run, log, KeptAnswers(job.run, log, data.eval, preset.evaluation))
    settings = preset.checkpoints
    groups = data.train.groups if shared else None
    trainer = WeightedTrainer(
        model=model,
        args=args,
        train_dataset=data.train,
        eval_dataset=data.eval,
        data_collator=collator,
        checkpoints=CheckpointManager(
            job.run,
            settings.save_total_limit,
            preset.evaluation.metric_for_best_model,
            log,
            plan={name: plan[name] for name in (*PLANNED, *DATA, SHARING)},
            expected_bytes=CHECKPOINT_BYTES * trainable,
        ),
        stop=stop.asked,
        packed=preset.training.packing,
        groups=groups,
        callbacks=[
            EvalEvents(log, answers_while_training(preset, data, stop, kept)),
            heartbeat,
            stop,
            RopePrecision(),
            Patience(preset.hardware.timeout_minutes),
        ],
    )
    order = trainer.get_train_dataloader().micro_batches
    all_of_them = order.of_epochs(math.ceil(preset.training.epochs))
    fused_kernels = fused_everywhere(fused, log)
    computing = preset.model_copy(update={"model": preset.model.model_copy(update={"fused_kernels": fused_kernels})})
    every, why = choose_recomputation(computing, architecture, trainable, all_of_them, data.train, groups)
    if why:
        log.note(why)
    prepare_training(
        model, gradient_checkpointing=every != KEPT, train_vision=trains_vision(preset.lora), every=max(every, ALL)
    )
    base_answers = BaseAnswers(trainer, preset, stop, log, kept)
    if start:
        base_answers.scores = base_scores(job.run)
    mfu = find_mfu(architecture, preset.lora, kernels.precision)
    trainer.add_callback(StepEvents(trainer, log, mfu, OddSteps(order, data.train, log)))
    trainer.add_callback(base_answers)
    gpu = torch.cuda.get_device_name() if torch.cuda.is_available() else None
    log.write(PLAN, **plan, trainable_params=trainable, total_params=total, gpu=gpu)
    log.say(f"plan: {json.dumps(plan | {'trainable_params': trainable, 'total_params': total})}")
    # Dropout should differ between ranks; the order of the data has a seed of its own.
    torch.manual_seed(preset.training.seed + ranks.rank())
    return trainer, base_answers


def check_shared_memory(preset: Preset, lengths: Sequence[int]) -> None:
    """Refuse a training whose data workers would be killed at its first step, for want of shared memory.

    Args:
        lengths: tokens of the training samples.

    Raises:
        VlmftError: this machine has too little.
    """
    if problem := shared_memory_problem(preset, ranks_here(), lengths):
        raise VlmftError(*problem)


def fuse(model: Any, log: RunLog) -> bool:
    """Let the model use fused kernels, or say why it cannot."""
    log.note("compiling fused kernels")
    if reason := ranks.host_first(lambda: fused_problem(model)):
        log.note(f"fused kernels are not used ({reason})")
        return False
    use_fused_kernels(model)
    return True


def fused_everywhere(here: bool, log: RunLog) -> bool:
    """Whether every rank uses fused kernels, as this one does or not: without them more is kept for the backward."""
    everywhere = not ranks.any_rank(not here)
    if here and not everywhere:
        log.note("fused kernels are not used on every rank: the others wait for those without at each step")
    return everywhere


def answers_while_training(
    preset: Preset, data: RunData, stop: StopOnRequest, kept: KeptPoints
) -> Callable[[Any, int], dict[str, Scores] | None] | None:
    """What scores the model's answers at an eval while training; None if the preset wants none."""
    settings = preset.evaluation
    limit = min(settings.answers, settings.answers_at_evals)
    if limit == 0:
        return None

    def answers(model: Any, step: int) -> dict[str, Scores] | None:
        keep = partial(kept.keep, step)
        return answer_tasks(model, data.eval, settings, preset.data.workers, stop.asked, limit=limit, keep=keep)

    return answers


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
