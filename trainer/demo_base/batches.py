"""Pre-training batches: one sequence is one picture and several questions about it.

Each question sees the picture and itself, never another question, and its positions follow the picture directly: the
model learns on exactly the conversations it will be asked, and the picture is looked at once.
"""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Sequence
from typing import Any

import torch
from PIL.Image import Image
from torch.nn.functional import cross_entropy

from vlmft_trainer.data.collate import collate
from vlmft_trainer.data.encode import IGNORED, Encoder
from vlmft_trainer.demo.questions import Question, base_chart, base_sign

Scene = tuple[Image, list[Question]]


def scene(rng: random.Random, *, questions: int = 5, signs: float = 0.3) -> Scene:
    """A picture with its description and `questions` questions; a share `signs` of the pictures are signs."""
    make = base_sign if rng.random() < signs else base_chart
    return make(rng, questions)


class Packer:
    """Puts scenes into one batch in which the questions of a scene share the picture.

    Args:
        encoder: of the base that is trained.
        model: that base; it says where an image's tokens stand.
        picture: any picture of the size of all that will be packed.
    """

    def __init__(self, encoder: Encoder, model: Any, picture: Image) -> None:
        self.encoder = encoder
        sample = encoder.prompt("", picture)
        self._vision = sample.input_ids.index(model.config.vision_start_token_id)
        end = sample.input_ids.index(model.config.vision_end_token_id) + 1
        self._prefix = sample.input_ids[:end]
        batch = collate([sample], pad_id=0, image_id=encoder.image_id)
        positions, _ = model.model.get_rope_index(
            batch["input_ids"], batch["mm_token_type_ids"], batch["image_grid_thw"]
        )
        self._prefix_positions = positions[:, 0, :end]

    def pack(self, scenes: Sequence[Scene]) -> dict[str, torch.Tensor]:
        """The model's inputs (the 4-D mask is True where a token may look), `labels` and each label's `weights`.

        A question's weights add up to one: a long description would drown the short answers otherwise.
        """
        rows = [self._row(questions) for _, questions in scenes]
        longest = max(len(ids) for ids, _, _ in rows)
        shape = (len(rows), longest)
        input_ids, segments = torch.zeros(shape, dtype=torch.long), torch.zeros(shape, dtype=torch.long)
        labels, weights = torch.full(shape, IGNORED), torch.zeros(shape)
        for row, (ids, targets, parts) in enumerate(rows):
            input_ids[row, : len(ids)] = torch.tensor(ids)
            labels[row, : len(ids)] = torch.tensor(targets)
            segments[row, : len(ids)] = torch.tensor(parts)
            answers = Counter(part for part, label in zip(parts, targets, strict=True) if label != IGNORED)
            weights[row, : len(ids)] = torch.tensor([1 / answers[part] if part else 0.0 for part in parts])
        pixels = self.encoder.image_processor(images=[image for image, _ in scenes], return_tensors="pt")
        return {
            "input_ids": input_ids,
            "labels": labels,
            "weights": weights,
            "attention_mask": self._mask(segments),
            "position_ids": self._positions(segments),
            "mm_token_type_ids": (input_ids == self.encoder.image_id).long(),
            "pixel_values": pixels["pixel_values"],
            "image_grid_thw": pixels["image_grid_thw"],
        }

    def _row(self, questions: Sequence[Question]) -> tuple[list[int], list[int], list[int]]:
        """Ids, labels and segments (0 the picture, 1 and up the questions) of one scene."""
        ids, labels = list(self._prefix), [IGNORED] * len(self._prefix)
        segments = [0] * len(ids)
        for segment, question in enumerate(questions, start=1):
            sample = self.encoder.sample(question.text, question.answer, None)
            ids += sample.input_ids[self._vision :]
            labels += sample.labels[self._vision :]
            segments += [segment] * (sample.length - self._vision)
        return ids, labels, segments

    def _mask(self, segments: torch.Tensor) -> torch.Tensor:
        """Bool `[batch, 1, length, length]`: earlier tokens of the picture and of the own question."""
        length = segments.shape[1]
        earlier = torch.ones(length, length, dtype=torch.bool).tril()
        same = segments[:, :, None] == segments[:, None, :]
        return ((same | (segments == 0)[:, None, :]) & earlier)[:, None]

    def _positions(self, segments: torch.Tensor) -> torch.Tensor:
        """M-RoPE positions `[3, batch, length]`: every question starts right after the picture."""
        start = int(self._prefix_positions.max()) + 1
        index = torch.arange(segments.shape[1]).expand_as(segments)
        begins = torch.zeros_like(segments)
        begins[:, 1:] = torch.where(segments[:, 1:] != segments[:, :-1], index[:, 1:], 0)
        text = index - begins.cummax(dim=1).values + start
        positions = text.expand(3, -1, -1).clone()
        positions[:, :, : len(self._prefix)] = self._prefix_positions[:, None]
        return positions


def loss_of(model: Any, batch: dict[str, torch.Tensor]) -> torch.Tensor:
    """Mean cross entropy of the questions; the head runs on the supervised tokens alone."""
    inputs = {name: value for name, value in batch.items() if name not in ("labels", "weights")}
    hidden = model.model(**inputs).last_hidden_state[:, :-1]
    labels = batch["labels"][:, 1:]
    wanted = labels != IGNORED
    weights = batch["weights"][:, 1:][wanted]
    losses = cross_entropy(model.lm_head(hidden[wanted]), labels[wanted], reduction="none")
    return (losses * weights).sum() / weights.sum()
