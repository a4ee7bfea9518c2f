"""Work of a step: operations for one sample of a preset's data, as far as that is known before it is loaded."""

from __future__ import annotations

from dataclasses import replace
from typing import Final

from vlmft_core.plan.activations import KEPT, PIXELS_PER_TOKEN
from vlmft_core.plan.architecture import Architecture
from vlmft_core.plan.flops import Work, forward_flops, training_flops
from vlmft_core.plan.sample_count import available
from vlmft_core.preset.data_schema import Source
from vlmft_core.preset.schema import Preset

IMAGES: Final = {"HuggingFaceM4/ChartQA": (850, 600), "lmms-lab/textvqa": (1024, 768)}
"""Width and height in pixels of most images of the published data sets."""
QUESTIONS: Final = {"HuggingFaceM4/ChartQA": 28_299 / 18_317, "lmms-lab/textvqa": 34_602 / 21_953}
"""Training questions about each of their images."""
OTHER_IMAGE: Final = (850, 600)
"""The same where nothing is known."""
TEXT: Final = 64
"""Tokens of question, answer and template."""
SUPERVISED: Final = 4
"""Tokens of an answer."""
_SIDE: Final = 28
"""Pixels of an image token's side."""


def sample_flops(preset: Preset, base: Architecture, every: int) -> float:
    """Operations to train on one sample, mean of the sources; what is recomputed counts again.

    Args:
        every: which layers are recomputed.

    Raises:
        ModelError: the adapter's layers cannot be told.
    """
    weights = [float(available([source], "train") or 1) for source in preset.data.sources]
    total = 0.0
    for source, weight in zip(preset.data.sources, weights, strict=True):
        work = sample_work(preset, base, source)
        total += weight * (training_flops(base, preset.lora, work) + _again(base, work, every))
    return total / sum(weights)


def _again(base: Architecture, work: Work, every: int) -> float:
    """Operations of the layers that are recomputed: whole ones, for all tokens; never the last."""
    if every == KEPT:
        return 0.0
    layers = len(range(0, base.layers - 1, every))
    return forward_flops(replace(base, layers=layers), replace(work, supervised=work.tokens))["text"]


def sample_work(preset: Preset, base: Architecture, source: Source) -> Work:
    """One sample of a source: a question about an image of its usual size, scaled down as the preset has it.

    Where images are shared it has a share of its image.
    """
    tokens = image_tokens(*IMAGES.get(source.path, OTHER_IMAGE), preset.data.max_pixels)
    patches, length = tokens * base.merge, tokens + TEXT
    whole = Work(length, length**2, SUPERVISED, patches, patches**2)
    each = QUESTIONS.get(source.path, 1.0) if shares_images(preset) else 1.0
    left = 1 - 1 / each
    return Work(
        whole.tokens - round(left * tokens),
        whole.token_squares - round(left * tokens**2),
        whole.supervised,
        round(patches / each),
        round(patches**2 / each),
    )


def shares_images(preset: Preset) -> bool:
    """Whether an image is computed once for all of its questions, as far as the preset says it."""
    return preset.training.share_images == "auto" and preset.training.packing


def sharing_note(preset: Preset, base: Architecture, every: int) -> str:
    """What sharing images would save where the preset does not, as a sentence; empty where nothing is known of it.

    Args:
        every: which layers are recomputed.
    """
    if shares_images(preset) or not any(source.path in QUESTIONS for source in preset.data.sources):
        return ""
    training = preset.training.model_copy(update={"share_images": "auto", "packing": True})
    less = sample_flops(preset.model_copy(update={"training": training}), base, every)
    return (
        f"images have up to {max(QUESTIONS[one.path] for one in preset.data.sources if one.path in QUESTIONS):.2f}"
        f" questions each: training.share_images auto computes an image once for all of them, {less / 1e12:.1f} TFLOP a"
        f" sample instead of {sample_flops(preset, base, every) / 1e12:.1f}"
    )


def image_tokens(width: int, height: int, most: int) -> int:
    """Tokens of an image of at most so many pixels."""
    return min(round(width / _SIDE) * round(height / _SIDE), most // PIXELS_PER_TOKEN)


def shape_of_samples(preset: Preset) -> str:
    """What `sample_flops` takes samples to be, in words."""
    sizes = dict.fromkeys(IMAGES.get(source.path, OTHER_IMAGE) for source in preset.data.sources)
    images = " or ".join(f"{width} x {height}" for width, height in sizes)
    shared = ""
    if shares_images(preset) and any(source.path in QUESTIONS for source in preset.data.sources):
        shared = f", shared by {max(QUESTIONS.values()):.2f} questions"
    return f"a sample is an image of {images} pixels{shared} with {TEXT} tokens of text"
