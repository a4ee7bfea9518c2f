"""Conversation: what every data set is read into, with places for images; its answers are trained on."""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import Enum
from typing import Final, Literal, TypeAlias

Role = Literal["system", "user", "assistant"]

NO_IMAGE: Final = "no image"
REMOTE_IMAGE: Final = "image on the network"
BROKEN_IMAGE: Final = "broken image"
HUGE_IMAGE: Final = "image of too many pixels"
NARROW_IMAGE: Final = "image too narrow"
NO_ANSWER: Final = "empty answer"
TOO_LONG: Final = "longer than data.max_length"
NOT_JSON: Final = "not JSON"
NOT_UTF8: Final = "not UTF-8"
HUGE_ROW: Final = "row too large"
WRONG_SCHEMA: Final = "wrong schema"
UNSUPPORTED: Final = "not supported"
WRONG_BOX: Final = "box outside its image"

_LONGEST_PATH: Final = 1_024
"""A longer one is an image as base64."""


class BadRow(ValueError):
    """A row that cannot be a sample.

    Args:
        reason: one of this module's reasons.
        detail: what exactly, for a person; may hold text from the data set.
    """

    def __init__(self, reason: str, detail: str = "") -> None:
        super().__init__(f"{reason}: {detail}" if detail else reason)
        self.reason = reason
        self.detail = detail


class Slot(Enum):
    """What stands in a turn beside text: the place of an image, a box or a name, or a token that marks one of these."""

    IMAGE = "<image>"
    BOX = "<bbox>"
    NAME = "<ref-object>"
    BOX_START = "<|box_start|>"
    BOX_END = "<|box_end|>"
    QUAD_START = "<|quad_start|>"
    QUAD_END = "<|quad_end|>"
    NAME_START = "<|object_ref_start|>"
    NAME_END = "<|object_ref_end|>"


@dataclass(frozen=True)
class Name:
    """The name of an object."""

    text: str

    def __str__(self) -> str:
        return self.text


@dataclass(frozen=True)
class Box:
    """A box, point or polygon in an image.

    Attributes:
        numbers: x and y by turns.
        image: the number of its image in the conversation, from 0.
        unit: what the numbers count, as a source's `boxes`; empty where nobody has said it.
        pairs: whether it is written as pairs, `(x1,y1),(x2,y2)`, as it is between tokens; else as a list.
    """

    numbers: tuple[float, ...]
    image: int = 0
    unit: str = ""
    pairs: bool = False

    def __str__(self) -> str:
        said = [f"{number:g}" if isinstance(number, float) else str(number) for number in self.numbers]
        if self.pairs:
            return ",".join(f"({x},{y})" for x, y in zip(said[::2], said[1::2], strict=True))
        return f"[{', '.join(said)}]"


Part: TypeAlias = str | Slot | Box | Name


@dataclass(frozen=True)
class SizedImage:
    """An image that says to what size it is scaled, as qwen_vl_utils takes it.

    Attributes:
        file: its content, or where it is.
        min_pixels: least number of pixels; None for the preset's.
        max_pixels: greatest number of pixels; None for the preset's.
        resized: width and height, which are rounded as the model needs it; None to keep the picture's shape.
    """

    file: bytes | str
    min_pixels: int | None = None
    max_pixels: int | None = None
    resized: tuple[int, int] | None = None


ImageRef: TypeAlias = bytes | str | SizedImage
"""An image file's content, or where it is: a path, or a `data:` URL; with a size of its own or without."""


def file_of(ref: ImageRef) -> bytes | str:
    """An image's content, or where it is."""
    return ref.file if isinstance(ref, SizedImage) else ref


@dataclass(frozen=True)
class Turn:
    """One message: text, places for images, and boxes, in their order.

    Attributes:
        trained: whether it carries loss, where it is an answer.
    """

    role: Role
    parts: tuple[Part, ...]
    trained: bool = True

    @property
    def text(self) -> str:
        """What is read of it: boxes as they are written, no tokens."""
        return "".join(str(part) for part in self.parts if not isinstance(part, Slot))


@dataclass(frozen=True)
class Conversation:
    """One conversation. It ends with an answer that is trained on, and that can be asked for and scored.

    Attributes:
        turns: a system turn or none, then user and assistant by turns.
        references: answers to the last question that count as right.
        group: the part of the data set it is counted with (ChartQA: human or augmented); empty for none.
        images: one for each place in the turns, in their order.
        unused: names of what its row has beside it.
    """

    turns: tuple[Turn, ...]
    references: tuple[str, ...]
    group: str = ""
    images: tuple[ImageRef, ...] = ()
    unused: tuple[str, ...] = ()

    @property
    def boxes(self) -> tuple[Box, ...]:
        """All boxes, in their order."""
        return tuple(part for turn in self.turns for part in turn.parts if isinstance(part, Box))

    @property
    def image_name(self) -> str:
        """Where its first image lies; empty where it has none, or has its content in the row."""
        name = file_of(self.images[0]) if self.images else ""
        return name if isinstance(name, str) and len(name) <= _LONGEST_PATH and name[:5].lower() != "data:" else ""

    @property
    def prompt(self) -> str:
        """The last question."""
        return self.turns[-2].text

    @property
    def target(self) -> str:
        """The last answer; empty where the row has none."""
        return self.turns[-1].text

    @property
    def answers(self) -> tuple[str, ...]:
        """All that is trained on."""
        return tuple(turn.text for turn in self.turns if turn.role == "assistant" and turn.trained)

    def last_only(self) -> Conversation:
        """The same with no loss on answers before the last."""
        *before, last = self.turns
        return replace(self, turns=(*(replace(turn, trained=False) for turn in before), last))


def one_question(prompt: str, target: str, *, with_image: bool = True) -> tuple[Turn, ...]:
    """A single question, about an image unless told otherwise, and its answer."""
    asked: tuple[Part, ...] = (Slot.IMAGE, prompt) if with_image else (prompt,)
    return Turn("user", asked), Turn("assistant", (target,))
