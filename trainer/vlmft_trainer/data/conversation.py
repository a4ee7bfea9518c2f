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
    """What stands in a turn beside text."""

    IMAGE = "image"


Part: TypeAlias = str | Slot

ImageRef: TypeAlias = bytes | str
"""An image file's content, or where it is: a path, or a `data:` URL."""


@dataclass(frozen=True)
class Turn:
    """One message: text, and places for images, in their order.

    Attributes:
        trained: whether it carries loss, where it is an answer.
    """

    role: Role
    parts: tuple[Part, ...]
    trained: bool = True

    @property
    def text(self) -> str:
        return "".join(part for part in self.parts if isinstance(part, str))


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
