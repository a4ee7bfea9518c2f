"""One sample (image, prompt, answer) as Qwen2.5-VL token ids, with the answer alone supervised.

The conversation is put together from token ids, not from a rendered string: text from a data set can then never
turn into a special token, and the answer is known by its place rather than searched for.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import torch
    from PIL.Image import Image

IGNORED = -100
"""Label of a position that carries no loss (the index that torch's cross entropy ignores)."""

SYSTEM_PROMPT = "You are a helpful assistant."
"""Qwen2.5-VL's own default, used by its chat template when a conversation has no system message."""


@dataclass(frozen=True)
class Encoded:
    """One conversation ready for collation. `length` tokens, of which `image_tokens` stand for the image.

    Attributes:
        input_ids: token ids, `length` of them.
        labels: the same with everything but the answer and its end token replaced by `IGNORED`.
        pixel_values: float32 `[patches, 3 * 2 * 14 * 14]`; None for a conversation without an image.
        image_grid_thw: int64 `[1, 3]`: frames, rows and columns of patches; None without an image.
    """

    input_ids: list[int]
    labels: list[int]
    pixel_values: torch.Tensor | None
    image_grid_thw: torch.Tensor | None

    @property
    def length(self) -> int:
        return len(self.input_ids)


class Encoder:
    """Turns samples into ids for one base model.

    Args:
        tokenizer: the base model's tokenizer (transformers).
        image_processor: the base model's image processor (transformers).
    """

    def __init__(self, tokenizer: Any, image_processor: Any) -> None:
        self.tokenizer = tokenizer
        self.image_processor = image_processor
        self.image_id = self._special("<|image_pad|>")
        self.end_id = self._special("<|im_end|>")
        self.pad_id: int = self.end_id if tokenizer.pad_token_id is None else tokenizer.pad_token_id
        start = self._special("<|im_start|>")
        newline = self._text("\n")
        self._vision_start = [self._special("<|vision_start|>")]
        self._vision_end = [self._special("<|vision_end|>")]
        self._head = [start, *self._text("system\n" + SYSTEM_PROMPT), self.end_id, *newline]
        self._head += [start, *self._text("user\n")]
        self._tail = [self.end_id, *newline, start, *self._text("assistant\n")]

    def _special(self, token: str) -> int:
        """The id of a token that must exist in the tokenizer of every Qwen2.5-VL."""
        found = self.tokenizer.convert_tokens_to_ids(token)
        if not isinstance(found, int) or found == self.tokenizer.unk_token_id:
            raise ValueError(f"the tokenizer has no {token}: not a Qwen2.5-VL tokenizer")
        return found

    def _text(self, text: str) -> list[int]:
        """Ids of plain text; a special token's spelling inside it stays plain text."""
        ids: list[int] = self.tokenizer(text, add_special_tokens=False, split_special_tokens=True)["input_ids"]
        return ids

    def prompt(self, prompt: str, image: Image | None) -> Encoded:
        """The conversation up to where the assistant begins to answer; nothing is supervised."""
        pixels = grid = None
        image_tokens = 0
        if image is not None:
            processed = self.image_processor(images=[image.convert("RGB")], return_tensors="pt")
            pixels, grid = processed["pixel_values"], processed["image_grid_thw"]
            image_tokens = int(grid.prod()) // self.image_processor.merge_size**2
        ids = self._question(prompt, image_tokens)
        return Encoded(ids, [IGNORED] * len(ids), pixels, grid)

    def sample(self, prompt: str, answer: str, image: Image | None) -> Encoded:
        """The whole conversation; the answer and its end token are supervised."""
        head = self.prompt(prompt, image)
        ids = self._answer(answer)
        return Encoded(head.input_ids + ids, head.labels + ids, head.pixel_values, head.image_grid_thw)

    def length(self, prompt: str, answer: str, width: int, height: int) -> int:
        """Tokens of `sample` for an image of this size in pixels, found without looking at the image.

        Raises:
            ValueError: the model takes no image of this shape (one side over 200 times the other).
        """
        patches = self.image_processor.get_number_of_image_patches(height, width)
        image_tokens = patches // self.image_processor.merge_size**2
        return len(self._question(prompt, image_tokens)) + len(self._answer(answer))

    def _question(self, prompt: str, image_tokens: int) -> list[int]:
        vision: list[int] = []
        if image_tokens:
            vision = self._vision_start + [self.image_id] * image_tokens + self._vision_end
        return self._head + vision + self._text(prompt) + self._tail

    def _answer(self, answer: str) -> list[int]:
        return [*self._text(answer), self.end_id]
