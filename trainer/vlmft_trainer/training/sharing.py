"""Sharing of images: whether a run computes an image once for all questions about it, and what there is to say."""

from __future__ import annotations

from dataclasses import replace
from typing import Final

from vlmft_core.preset.schema import Training
from vlmft_core.run_folder.checkpoints import Checkpoint
from vlmft_trainer.data.samples import Samples
from vlmft_trainer.model.attention import varlen_problem
from vlmft_trainer.model.load import Kernels

SHARING: Final = "share_images"
"""The plan's entry: whether images are shared. It is kept with each checkpoint, as the order of the data goes by it."""

LEAST_SAVED: Final = 0.05
"""Share of the tokens that has to be saved for `training.share_images: auto` to change the order of the data."""


def choose_sharing(
    training: Training, kernels: Kernels, samples: Samples, start: Checkpoint | None
) -> tuple[bool, Kernels, str]:
    """Whether images are shared, the kernels then, and a note; empty where there is nothing to say.

    A resumed run goes on as it began; one from before there was a choice began without.
    """
    groups = samples.groups
    share = groups.saved / sum(samples.lengths) if groups and samples.lengths else 0.0
    reason = _obstacle(training, kernels)
    wanted = not reason and share >= LEAST_SAVED
    shared = bool(start.plan.get(SHARING)) if start else wanted
    if groups and shared:
        each = groups.questions / max(groups.images, 1)
        return (
            True,
            replace(kernels, attention="sdpa"),
            f"{groups.questions:,} questions are about {groups.images:,} images, {each:.2f} each: an image is computed"
            f" once for all of its questions, which saves {share:.0%} of all tokens",
        )
    if wanted:
        reason = "the run began so"
    if not reason or share < LEAST_SAVED:
        return False, kernels, ""
    return False, kernels, f"images are not shared, which would save {share:.0%} of all tokens: {reason}"


def _obstacle(training: Training, kernels: Kernels) -> str:
    """Why images are not shared; empty if they can be."""
    if training.share_images == "off":
        return "training.share_images is off"
    if not training.packing:
        return "training.packing is false"
    if kernels.attention == "eager":
        return "model.attention is eager"
    if kernels.attention == "flash_attention_2" and (problem := varlen_problem()):
        return f"PyTorch's variable-length attention cannot take the place of flash-attn ({problem})"
    return ""
