"""Building of a training: everything that has to be there for its first step. Every rank does it."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import torch
from PIL import Image

from vlmft_core.errors import VlmftError
from vlmft_core.jobs import fingerprint
from vlmft_core.plan.activations import ALL, KEPT
from vlmft_core.plan.architecture import Architecture
from vlmft_core.plan.base_folder import find_architecture, resolve_base
from vlmft_core.plan.lora_layers import trains_vision
from vlmft_core.plan.shared_memory import shared_memory_problem
from vlmft_core.plan.starting_adapter import starting_adapter
from vlmft_core.preset import Preset
from vlmft_core.run_folder.checkpoints import Checkpoint, remove_unusable
from vlmft_core.run_folder.events import PLAN
from vlmft_core.run_folder.segments import base_scores
from vlmft_trainer.data.collate import pad_collator
from vlmft_trainer.data.encode import Encoder
from vlmft_trainer.data.packing import pack_collator
from vlmft_trainer.data.run_data import RunData, prepare
from vlmft_trainer.data.tasks import Scores
from vlmft_trainer.distributed import ranks
from vlmft_trainer.distributed.environment import ranks_here
from vlmft_trainer.model.adapter import add_adapter, start_from
from vlmft_trainer.model.evaluate import answer_tasks
from vlmft_trainer.model.fused import fused_problem, use_fused_kernels
from vlmft_trainer.model.load import (
    Kernels,
    assert_positions,
    choose_kernels,
    count_parameters,
    load_base,
    load_encoder,
    prepare_training,
)
from vlmft_trainer.training.callbacks.base_answers import BaseAnswers
from vlmft_trainer.training.callbacks.eval_events import EvalEvents
from vlmft_trainer.training.callbacks.heartbeat import Heartbeat
from vlmft_trainer.training.callbacks.patience import Patience
from vlmft_trainer.training.callbacks.rope_precision import RopePrecision
from vlmft_trainer.training.callbacks.step_events import StepEvents
from vlmft_trainer.training.callbacks.stop_request import StopOnRequest
from vlmft_trainer.training.checkpoint_manager import CheckpointManager
from vlmft_trainer.training.kept_answers import KeptAnswers
from vlmft_trainer.training.kept_points import KeptPoints
from vlmft_trainer.training.odd_steps import OddSteps
from vlmft_trainer.training.options import Job
from vlmft_trainer.training.recompute import choose_recomputation
from vlmft_trainer.training.run_log import RunLog
from vlmft_trainer.training.run_plan import DATA, PLANNED, check_same_plan, compare_data, steps_plan
from vlmft_trainer.training.run_settings import SETTINGS, compare_settings, settings
from vlmft_trainer.training.sharing import SHARING, choose_sharing
from vlmft_trainer.training.throughput import find_mfu
from vlmft_trainer.training.training_args import training_args
from vlmft_trainer.training.weighted_trainer import WeightedTrainer

CHECKPOINT_BYTES = 20
"""A checkpoint's size for each trainable parameter, at most (measured with fp32 weights; bf16 takes 14 to 16)."""


def build(
    job: Job, log: RunLog, stop: StopOnRequest, heartbeat: Heartbeat, start: Checkpoint | None
) -> tuple[WeightedTrainer, BaseAnswers]:
    """What trains, and what asks the base before the first step.

    Args:
        start: the checkpoint to resume from.

    Raises:
        VlmftError: the data, the base model or the adapter's options cannot be used, or the checkpoint is of another
            training; all ranks raise it.
        StopRequested: a person stopped the run meanwhile.
    """
    preset = job.preset
    kernels = choose_kernels(preset.model)
    for note in kernels.notes:
        log.note(note)
    encoder, data = look_at_data(preset, log)
    stop.check()

    shared, kernels, note = choose_sharing(preset.training, kernels, data.train, start)
    if note:
        log.note(note)
    plan = steps_plan(preset, data) | {SHARING: shared}
    if start:
        go_on(job, log, plan, start)
    architecture = find_architecture(preset.model.base)
    expected = architecture.lora_parameters(preset.lora) if architecture else None
    args = training_args(preset, kernels, job.run.path, plan["warmup_steps"], expected)
    model = load_model(preset, log, kernels, fresh=start is None)
    fused = kernels.fused and fuse(model, log)
    trainable, total = count_parameters(model)
    collator = pack_collator(encoder, share=shared) if preset.training.packing else pad_collator(encoder)
    # Not a sample of the data: the first ones may have no image.
    assert_positions(model, collator([encoder.sample("?", "!", Image.new("RGB", (112, 84)))]))
    stop.check()

    kept = KeptPoints(job.run, log, KeptAnswers(job.run, log, data.eval, preset.evaluation))
    checkpoints = CheckpointManager(
        job.run,
        preset.checkpoints.save_total_limit,
        preset.evaluation.metric_for_best_model,
        log,
        plan={name: plan[name] for name in (*PLANNED, *DATA, SHARING)}
        | {SETTINGS: ranks.together(lambda: settings(preset))},
        expected_bytes=CHECKPOINT_BYTES * trainable,
    )
    trainer = WeightedTrainer(
        model=model,
        args=args,
        train_dataset=data.train,
        eval_dataset=data.eval,
        data_collator=collator,
        checkpoints=checkpoints,
        stop=stop.asked,
        packed=preset.training.packing,
        groups=data.train.groups if shared else None,
        callbacks=[
            EvalEvents(log, answers_while_training(preset, data, stop, kept)),
            heartbeat,
            stop,
            RopePrecision(),
            Patience(preset.hardware.timeout_minutes),
        ],
    )
    recompute(preset, log, trainer, architecture, trainable, fused=fused_everywhere(fused, log))
    base_answers = BaseAnswers(trainer, preset, stop, log, kept)
    if start:
        base_answers.scores = base_scores(job.run)
    mfu = find_mfu(architecture, preset.lora, kernels.precision)
    order = trainer.get_train_dataloader().micro_batches
    trainer.add_callback(StepEvents(trainer, log, mfu, OddSteps(order, data.train, log)))
    trainer.add_callback(base_answers)
    gpu = torch.cuda.get_device_name() if torch.cuda.is_available() else None
    log.write(PLAN, **plan, trainable_params=trainable, total_params=total, gpu=gpu)
    log.say(f"plan: {json.dumps(plan | {'trainable_params': trainable, 'total_params': total})}")
    # Dropout should differ between ranks; the order of the data has a seed of its own.
    torch.manual_seed(preset.training.seed + ranks.rank())
    return trainer, base_answers


def look_at_data(preset: Preset, log: RunLog) -> tuple[Encoder, RunData]:
    """The base's encoder, and all samples, checked.

    Raises:
        VlmftError: either cannot be used, or data workers would get too little shared memory.
    """
    base, limits = resolve_base(preset.model.base), preset.data
    encoder = ranks.host_first(lambda: load_encoder(base, limits.max_pixels, limits.min_pixels))
    log.note("checking the data")
    data = prepare(preset.data, encoder)
    for note in data.notes:
        log.note(note)
    ranks.together(lambda: check_shared_memory(preset, data.train.lengths or ()))
    return encoder, data


def check_shared_memory(preset: Preset, lengths: Sequence[int]) -> None:
    """Refuse a training whose data workers would be killed at its first step, for want of shared memory.

    Args:
        lengths: tokens of the training samples.

    Raises:
        VlmftError: this machine has too little.
    """
    if problem := shared_memory_problem(preset, ranks_here(), lengths):
        raise VlmftError(*problem)


def go_on(job: Job, log: RunLog, plan: dict[str, Any], start: Checkpoint) -> None:
    """Make sure that a checkpoint is of this training, and take away those that cannot be used.

    Raises:
        VlmftError: it is of another one.
    """
    check_same_plan(plan, start)
    now = ranks.gather(ranks.together(lambda: settings(job.preset)))[0]  # so that all ranks say the same
    for note in (*compare_settings(now, start), *compare_data(plan, start, data_changed=job.data_changed)):
        log.note(note)
    if ranks.rank() == 0:
        for name in remove_unusable(job.run, start.step):
            log.note(f"{name} was not complete or not intact and is deleted")
    log.note(f"resuming from step {start.step}")


def load_model(preset: Preset, log: RunLog, kernels: Kernels, *, fresh: bool) -> Any:
    """The base with its adapter.

    Args:
        fresh: whether no checkpoint has the adapter's weights.

    Raises:
        ModelError: one of them cannot be used.
    """
    log.note(f"loading the base model {preset.model.base}")
    base, quantization = resolve_base(preset.model.base), preset.model.quantization
    model = ranks.together(
        lambda: add_adapter(load_base(base, kernels, quantization, log.note), preset.lora, preset.training.seed)
    )
    if fresh and (earlier := starting_adapter(preset.lora, preset.model.base)):
        log.note(f"training goes on from the adapter {earlier.folder} (sha256 {fingerprint(earlier.folder)[:12]})")
        ranks.together(lambda: start_from(model, earlier, log.note))
    return model


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


def recompute(
    preset: Preset,
    log: RunLog,
    trainer: WeightedTrainer,
    architecture: Architecture | None,
    trainable: int,
    *,
    fused: bool,
) -> None:
    """Choose for all steps to come which layers are recomputed, and set the model up for it.

    Args:
        fused: whether every rank uses fused kernels.
    """
    order = trainer.get_train_dataloader().micro_batches.of_epochs(math.ceil(preset.training.epochs))
    computing = preset.model_copy(update={"model": preset.model.model_copy(update={"fused_kernels": fused})})
    samples = trainer.train_dataset
    every, why = choose_recomputation(computing, architecture, trainable, order, samples, trainer.groups)
    if why:
        log.note(why)
    vision = trains_vision(preset.lora)
    prepare_training(trainer.model, gradient_checkpointing=every != KEPT, train_vision=vision, every=max(every, ALL))


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
