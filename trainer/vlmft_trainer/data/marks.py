"""Marks in a text: the places of images, boxes and names; and what only other programs take for one."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Final

from vlmft_trainer.data.conversation import NO_IMAGE, UNSUPPORTED, BadRow, ImageRef, Part, Slot, Turn
from vlmft_trainer.data.row_keys import MARKS

MARK: Final = Slot.IMAGE.value
"""Where an image stands in a text."""

_GROUNDING: Final = {slot.value: slot for slot in (Slot.BOX, Slot.NAME)}
_GROUNDING_MARK = re.compile(f"({'|'.join(_GROUNDING)})")

_OTHER_MARK = re.compile(
    r"<img>[^<>]*</img>|<start_of_image>|<\|vision_(?:start|end)\|>|<\|im_(?:start|end)\|>|<\|endoftext\|>"
    r"|<\|?(?:image|imagehere)[ _]?(?:\d+|pad|placeholder|token|start|end)?\|?>|<\|?img[ _]?(?:\d+|pad|context)\|?>",
    re.IGNORECASE,
)
"""Places of images as Qwen-VL, Phi, InternVL, Gemma and Mantis mark them, and tokens of Qwen's template."""

_TOKENS: Final = ("<|im_", "<|endoftext", "<|vision_", "<|image_pad")


def marked(text: str) -> tuple[Part, ...]:
    """A text with its marks as places: of images, without the line breaks that set these apart, of boxes and of names.

    Raises:
        BadRow: it has a mark of something else.
    """
    if "<" not in text:
        return (text,)
    for mark, todo in MARKS.items():
        if mark in text:
            raise BadRow(UNSUPPORTED, f"{mark} in a text: {todo}")
    parts: list[Part] = []
    pieces = text.split(MARK)
    for number, piece in enumerate(pieces):
        if number:
            parts.append(Slot.IMAGE)
            piece = piece.removeprefix("\n")
        if number < len(pieces) - 1:
            piece = piece.removesuffix("\n")
        parts += [_GROUNDING.get(one, one) for one in _GROUNDING_MARK.split(piece) if one]
    return tuple(parts)


def name_other_marks(turns: Sequence[Turn], images: Sequence[ImageRef], unused: list[str]) -> None:
    """Name what other programs take for the place of an image or for a token of their own; here it is text.

    Raises:
        BadRow: it stands for an image, and the row has none.
    """
    for turn in turns:
        for part in turn.parts:
            if not isinstance(part, str) or "<" not in part:
                continue
            for mark in _OTHER_MARK.findall(part):
                if not images and not mark.startswith(_TOKENS):
                    todo = f"name it in `images`, and write {MARK} in its place"
                    raise BadRow(NO_IMAGE, f"{mark:.60} in a text, and no image beside it: {todo}")
                unused.append(f"mark {mark:.60} in a text (it is read as letters)")
