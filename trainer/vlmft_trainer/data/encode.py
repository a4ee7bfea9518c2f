"""Encoder: one conversation as Qwen2.5-VL token ids, with the answers alone supervised.

It is put together from token ids, not from a rendered string: text from a data set can then never turn into a special
token, and an answer is known by its place rather than searched for.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final, TypeAlias

import torch
from PIL.Image import Image
from transformers.models.qwen2_vl.image_processing_pil_qwen2_vl import smart_resize

from vlmft_trainer.data.conversation import ImageRef, SizedImage, Slot, Turn, one_question
from vlmft_trainer.data.patches import SIDE, cut, refuse_others

IGNORED = -100
"""Label of a position that carries no loss (the index that torch's cross entropy ignores)."""

SYSTEM_PROMPT = "You are a helpful assistant."
"""Qwen2.5-VL's own default, used by its chat template when a conversation has no system message."""


GROUNDING: Final = tuple(slot for slot in Slot if slot.value.startswith("<|"))
"""The vocabulary's tokens of boxes and names."""


@dataclass(frozen=True)
class Encoded:
    """One conversation ready for collation.

    Attributes:
        input_ids: token ids, `length` of them.
        labels: the same with everything but the answers and their end tokens replaced by `IGNORED`.
        pixel_values: uint8 `[patches, 3 * 14 * 14]` of all images, not yet normalised (see
            `vlmft_trainer.data.patches`); None for a conversation without one.
        image_grid_thw: int64 `[images, 3]`: frames, rows and columns of patches; None without an image.
    """

    input_ids: list[int]
    labels: list[int]
    pixel_values: torch.Tensor | None
    image_grid_thw: torch.Tensor | None

    @property
    def length(self) -> int:
        return len(self.input_ids)


@dataclass(frozen=True)
class Fit:
    """How an image is resized for the model.

    Attributes:
        width: pixels, a multiple of 28 (the processor's patches times its merging).
        height: the same.
        tokens: what it takes.
        limited: -1 where it is made smaller, 1 where it is made larger, 0 where its sides are only rounded.
    """

    width: int
    height: int
    tokens: int
    limited: int = 0


_Piece: TypeAlias = tuple[str | list[int], bool]
"""Text or token ids, and whether they are supervised."""


class Encoder:
    """Turns samples into ids for one base model.

    Args:
        tokenizer: the base model's tokenizer (transformers).
        image_processor: the base model's image processor (transformers).

    Raises:
        ValueError: they are not a Qwen2.5-VL's.
    """

    def __init__(self, tokenizer: Any, image_processor: Any) -> None:
        refuse_others(image_processor)
        self.tokenizer = tokenizer
        self.image_processor = image_processor
        self.image_id = self._special("<|image_pad|>")
        self.end_id = self._special("<|im_end|>")
        self.stop_ids = [self.end_id, *([] if (text_end := self._id("<|endoftext|>")) is None else [text_end])]
        """What ends a generated answer: the end of a turn, and, as Qwen2.5-VL's own generation_config.json has it, the
        end of a text."""
        self.pad_id: int = self.end_id if tokenizer.pad_token_id is None else tokenizer.pad_token_id
        self._factor = int(image_processor.patch_size) * int(image_processor.merge_size)
        self._start = self._special("<|im_start|>")
        [self._newline, answer_start] = self._texts(["\n", "assistant\n"])
        self._vision_start = self._special("<|vision_start|>")
        self._vision_end = self._special("<|vision_end|>")
        self.missing = frozenset(slot for slot in GROUNDING if self._id(slot.value) is None)
        """Tokens of boxes and names that the tokenizer lacks: they are spelt as text."""
        self._answer_start = [self._start, *answer_start]
        self._usual_system, _ = self._joined(self._message(Turn("system", (SYSTEM_PROMPT,)), iter(())))

    def _special(self, token: str) -> int:
        """The id of a token that must exist in the tokenizer of every Qwen2.5-VL."""
        found = self._id(token)
        if found is None:
            raise ValueError(f"the tokenizer has no {token}: not a Qwen2.5-VL tokenizer")
        return found

    def _id(self, token: str) -> int | None:
        found = self.tokenizer.convert_tokens_to_ids(token)
        # For a token that it lacks it gives another's id: that of <|endoftext|>.
        return found if isinstance(found, int) and self.tokenizer.convert_ids_to_tokens(found) == token else None

    def _texts(self, texts: list[str]) -> list[list[int]]:
        """Ids of plain texts; a special token's spelling inside them stays plain text."""
        if not texts:
            return []
        ids: list[list[int]] = self.tokenizer(texts, add_special_tokens=False, split_special_tokens=True)["input_ids"]
        return ids

    def prompt(self, prompt: str, image: Image | None) -> Encoded:
        """`beginning` of a single question."""
        return self.beginning(*_single(prompt, "", image))

    def sample(self, prompt: str, answer: str, image: Image | None) -> Encoded:
        """`conversation` of a single question."""
        return self.conversation(*_single(prompt, answer, image))

    def beginning(self, turns: Sequence[Turn], images: Sequence[Image], fits: Sequence[Fit] | None = None) -> Encoded:
        """A conversation up to where the assistant begins its last answer; nothing is supervised.

        Args:
            fits: how the images are resized; left out, as `fit` says by their sizes alone.
        """
        pixels, grids, image_tokens = self._pictures(images, fits)
        ids, _ = self.ids(turns[:-1], image_tokens)
        ids += [*self._newline, *self._answer_start]
        return Encoded(ids, [IGNORED] * len(ids), pixels, grids)

    def conversation(
        self, turns: Sequence[Turn], images: Sequence[Image], fits: Sequence[Fit] | None = None
    ) -> Encoded:
        """The whole conversation; the answers that are trained on are supervised, with their end tokens.

        Args:
            fits: as `beginning`.
        """
        pixels, grids, image_tokens = self._pictures(images, fits)
        return Encoded(*self.ids(turns, image_tokens), pixels, grids)

    def ids(self, turns: Sequence[Turn], image_tokens: Sequence[int]) -> tuple[list[int], list[int]]:
        """A conversation's token ids and labels, its images known only by their tokens.

        Args:
            turns: the last one has no newline after its end.
            image_tokens: for each image of the turns, in their order.
        """
        counts = iter(image_tokens)
        pieces: list[_Piece] = []
        if turns[0].role != "system":
            pieces += [(self._usual_system, False), (self._newline, False)]
        for turn in turns:
            pieces += self._message(turn, counts)
            pieces.append((self._newline, False))
        return self._joined(pieces[:-1])

    def fit(self, width: int, height: int, ref: ImageRef = "") -> Fit:
        """How an image of this size in pixels is resized, found without looking at it: as the image processor does it.

        Args:
            ref: may ask for a size of its own.

        Raises:
            ValueError: the model takes no image of this shape (one side over 200 times the other).
        """
        factor = self._factor
        least, most = self.image_processor.size["shortest_edge"], self.image_processor.size["longest_edge"]
        wide, high = width, height
        if isinstance(ref, SizedImage):
            least, most = _limits(ref, least, most)
            wide, high = ref.resized or (width, height)
        high, wide = smart_resize(high, wide, factor, least, most)
        rounded = max(1, round(height / factor)) * max(1, round(width / factor)) * factor**2
        area = high * wide
        return Fit(wide, high, area // factor**2, (area > rounded) - (area < rounded))

    def _message(self, turn: Turn, counts: Iterator[int]) -> list[_Piece]:
        """A turn from its start to its end; takes its images' tokens from `counts`."""
        if turn.role == "assistant":
            pieces: list[_Piece] = [(self._answer_start, False)]
            text, supervised = "", turn.trained
        else:
            pieces = [([self._start], False)]
            text, supervised = f"{turn.role}\n", False
        for part in turn.parts:
            if part is Slot.IMAGE:
                token = [self._vision_start, *[self.image_id] * next(counts), self._vision_end]
            elif not isinstance(part, Slot) or part in self.missing:
                text += part.value if isinstance(part, Slot) else str(part)
                continue
            else:
                token = [self._special(part.value)]
            pieces += [(text, supervised), (token, supervised)]
            text = ""
        return [*pieces, (text, supervised), ([self.end_id], supervised)]

    def _joined(self, pieces: Sequence[_Piece]) -> tuple[list[int], list[int]]:
        """Token ids and labels of pieces; one call for all texts, because a call costs more than its work."""
        tokens = iter(self._texts([piece for piece, _ in pieces if isinstance(piece, str)]))
        ids: list[int] = []
        labels: list[int] = []
        for piece, supervised in pieces:
            found = next(tokens) if isinstance(piece, str) else piece
            ids += found
            labels += found if supervised else [IGNORED] * len(found)
        return ids, labels

    def _pictures(self, images: Sequence[Image], fits: Sequence[Fit] | None) -> tuple[Any, Any, list[int]]:
        """Pixels, grids and tokens of images; None, None and none without one."""
        if not images:
            return None, None, []
        if fits is None:
            fits = [self.fit(*image.size) for image in images]
        resample = self.image_processor.resample
        resized = [
            image.convert("RGB").resize((fit.width, fit.height), resample)
            for image, fit in zip(images, fits, strict=True)
        ]
        pixels = torch.cat([cut(image, self.image_processor.merge_size) for image in resized])
        grids = torch.tensor([[1, fit.height // SIDE, fit.width // SIDE] for fit in fits])
        return pixels, grids, [fit.tokens for fit in fits]


def _limits(own: SizedImage, least: int, most: int) -> tuple[int, int]:
    """The least and the most pixels of an image with a size of its own, where others have `least` and `most`."""
    if own.resized:
        return 1, math.prod(own.resized) * 4  # its sides are only rounded
    least, most = own.min_pixels or least, own.max_pixels or most
    return (least, max(least, most)) if own.min_pixels else (min(least, most), most)


def _single(prompt: str, answer: str, image: Image | None) -> tuple[tuple[Turn, ...], list[Image]]:
    """A single question as turns, and its image if it has one."""
    return one_question(prompt, answer, with_image=image is not None), [] if image is None else [image]
