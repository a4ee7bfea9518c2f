"""Skill of a base: the share of its pre-training questions that it answers exactly."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch

from demo_base.batches import Scene
from vlmft_trainer.data.collate import collate
from vlmft_trainer.data.encode import Encoder
from vlmft_trainer.demo.questions import CHART_SUFFIX, SIGN_SUFFIX, Question
from vlmft_trainer.model.inputs import model_inputs


@torch.no_grad()
def accuracy(model: Any, encoder: Encoder, scenes: Sequence[Scene], batch_size: int = 64) -> dict[str, float]:
    """Share of exactly right greedy answers: descriptions, values read off an axis, other chart questions, signs."""
    asked = [(image, question) for image, questions in scenes for question in questions]
    right: dict[str, list[bool]] = {"description": [], "reading": [], "other": [], "sign": []}
    pad_id = encoder.tokenizer.pad_token_id
    for first in range(0, len(asked), batch_size):
        part = asked[first : first + batch_size]
        prompts = [encoder.prompt(question.text, image) for image, question in part]
        batch = collate(prompts, pad_id=pad_id, image_id=encoder.image_id, side="left")
        ids = model.generate(**model_inputs(model, batch), max_new_tokens=40)[:, batch["input_ids"].shape[1] :]
        texts = encoder.tokenizer.batch_decode(ids, skip_special_tokens=True)
        for text, (_, question) in zip(texts, part, strict=True):
            right[_kind(question)].append(text == question.answer)
    return {kind: round(sum(found) / max(1, len(found)), 3) for kind, found in right.items()}


def _kind(question: Question) -> str:
    """Under which heading `accuracy` counts a question."""
    if question.text.endswith(SIGN_SUFFIX):
        return "sign"
    if question.text.endswith(CHART_SUFFIX):
        return "reading" if question.reading else "other"
    return "description"
