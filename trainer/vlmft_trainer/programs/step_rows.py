"""Rows of a step: which samples one optimizer step of a run trained on, worked out anew from its preset and its data.

Says `rows` once: `data` (the fingerprint of the training data, as the run's plan has it), `epoch` (from 1), and `rows`,
for each sample `where` it stands, `task`, `question`, `truth`, `tokens`, `supervised` (tokens that carry loss), `image`
(where the first one lies), `images` (how many) and `micro_batch`, counted over all ranks, where the number of ranks and
the size of their micro-batches are still the preset's.
"""

from __future__ import annotations

from typing import Any

from vlmft_core.errors import DataError
from vlmft_core.jobs import StepJob
from vlmft_core.plan import optimizer_steps
from vlmft_core.plan.base_folder import resolve_base
from vlmft_trainer.data.encode import IGNORED
from vlmft_trainer.data.order import MicroBatches
from vlmft_trainer.data.run_data import prepare
from vlmft_trainer.data.samples import Samples
from vlmft_trainer.model.load import load_encoder
from vlmft_trainer.programs import Say


def step_rows(job: StepJob, say: Say) -> None:
    """Find the samples of the job's step.

    Raises:
        VlmftError: the data or the base's tokenizer cannot be read, or the step is beyond the training's end.
    """
    preset = job.preset
    encoder = load_encoder(resolve_base(preset.model.base), preset.data.max_pixels, preset.data.min_pixels)
    say("note", "reading the training data")
    samples = prepare(preset.data, encoder).train
    training = preset.training
    per_epoch, total = optimizer_steps(len(samples), training.effective_batch, training.epochs)
    if job.step > total:
        raise DataError(f"step {job.step:,}: the training has {total:,} steps")
    order = MicroBatches(
        samples.lengths or [1] * len(samples),
        effective_batch=training.effective_batch,
        micro_batch=training.micro_batch,
        packed=training.packing,
        seed=training.seed,
        world=preset.hardware.gpus,
        groups=samples.groups if job.shared else None,
    )
    rows = [described(samples, index, number) for number, part in enumerate(order.of_step(job.step)) for index in part]
    say("rows", {"data": samples.fingerprint, "epoch": (job.step - 1) // per_epoch + 1, "rows": rows})


def described(samples: Samples, index: int, micro_batch: int) -> dict[str, Any]:
    """One sample, or the one that is used in its place, because its image cannot be decoded."""
    taken = samples.taken(index)
    split, _ = samples.places[taken]
    conversation = samples.conversation(taken)
    labels = samples[taken].labels
    return {
        "where": samples.where(taken),
        "task": samples.splits[split].task_name,
        "question": conversation.prompt,
        "truth": list(dict.fromkeys(conversation.references)),
        "tokens": len(labels),
        "supervised": len(labels) - labels.count(IGNORED),
        "image": conversation.image_name,
        "images": len(conversation.images),
        "micro_batch": micro_batch,
    }
