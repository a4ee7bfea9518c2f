"""Fitting: how the images of a conversation are resized, and its boxes with them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Final

from vlmft_trainer.data.conversation import NARROW_IMAGE, WRONG_BOX, BadRow, Box, Conversation
from vlmft_trainer.data.encode import Encoder, Fit
from vlmft_trainer.data.grounding import joined

UNITS: Final[Mapping[str, float]] = {"relative_1000": 1000, "relative_1": 1}
"""What the sides of a picture count in units that do not depend on its size."""


def fitted(
    conversation: Conversation, sizes: Sequence[tuple[int, int]], encoder: Encoder
) -> tuple[Conversation, tuple[Fit, ...]]:
    """A conversation with its boxes as text, in the pixels of the resized images, and how these are resized.

    Args:
        sizes: width and height of each image.

    Raises:
        BadRow: a box is not in its image, or the model takes no image of such a shape.
    """
    try:
        fits = tuple(encoder.fit(*size, ref) for size, ref in zip(sizes, conversation.images, strict=True))
    except ValueError as error:
        raise BadRow(NARROW_IMAGE, "one side is over 200 times the other") from error
    if not conversation.boxes:
        return conversation, fits
    turns = tuple(
        replace(turn, parts=joined(_shown(part, sizes, fits) if isinstance(part, Box) else part for part in turn.parts))
        for turn in conversation.turns
    )
    return replace(conversation, turns=turns, references=(turns[-1].text,)), fits


def _shown(box: Box, sizes: Sequence[tuple[int, int]], fits: Sequence[Fit]) -> str:
    return str(replace(box, numbers=scaled(box, sizes[box.image], fits[box.image])))


def scaled(box: Box, size: tuple[int, int], fit: Fit) -> tuple[int, ...]:
    """A box's numbers in pixels of its resized image.

    Args:
        size: width and height of the image.

    Raises:
        BadRow: it is outside the image by more than a unit (a thousandth of a share), its corners are turned round or
            the same, or its numbers are shares of the sides where they should not be.
    """
    to = fit.width, fit.height
    sides = {"absolute": size, "resized": to}.get(box.unit) or (UNITS[box.unit],) * 2
    slack = 0.001 if box.unit == "relative_1" else 1
    if slack == 1 and max(box.numbers) <= 1 and any(number % 1 for number in box.numbers):
        todo = "`boxes: relative_1` in the source, or `bbox_type: norm1` in objects, says so"
        raise BadRow(WRONG_BOX, f"{box} ({box.unit}) look like shares of the sides: {todo}")
    for place, number in enumerate(box.numbers):
        if not -slack <= number <= sides[place % 2] + slack:
            raise BadRow(WRONG_BOX, f"{box} ({box.unit}) in an image of {size[0]}x{size[1]}")
    if len(box.numbers) == 4 and (box.numbers[0] > box.numbers[2] or box.numbers[1] > box.numbers[3]):
        raise BadRow(WRONG_BOX, f"{box}: x1, y1 is not the upper left corner and x2, y2 the lower right one")
    if len(box.numbers) == 4 and box.numbers[:2] == box.numbers[2:]:
        raise BadRow(WRONG_BOX, f"{box}: both corners are the same; a point has two numbers")
    return tuple(
        min(max(round(number / sides[place % 2] * to[place % 2]), 0), to[place % 2])
        for place, number in enumerate(box.numbers)
    )
