"""Chat data: rows as conversations, LLaVA's `conversations` and the `messages` of OpenAI and Qwen."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from statistics import fmean
from typing import Any, Final

from vlmft_core.metrics import ACCURACY, normalise
from vlmft_trainer.data.conversation import WRONG_SCHEMA, BadRow, Conversation, ImageRef, Part, Role, Slot, Turn
from vlmft_trainer.data.pictures import image_refs

MARK: Final = "<image>"
"""Where an image stands in a text."""

_ROLES: Final[Mapping[str, Role]] = {
    "system": "system",
    "human": "user",
    "user": "user",
    "gpt": "assistant",
    "assistant": "assistant",
}


def read_llava(row: Mapping[str, Any]) -> Conversation:
    """`conversations`: turns with `from` and `value`; images in `image` or `images`, marked `<image>` in the text.

    Raises:
        BadRow: it is not so.
    """
    images = _row_images(row)
    turns = [
        Turn(role, _marked(text)) if role == "user" else Turn(role, (text,))
        for role, text in (
            (_role(turn, "from"), _string(turn, "value")) for turn in _turns(row, "conversations", "value")
        )
    ]
    return _conversation(turns, images)


def read_messages(row: Mapping[str, Any]) -> Conversation:
    """`messages`: turns with `role` and `content`, a text or a list of parts.

    A part is `{"type": "text", "text": …}`, or an image: `{"type": "image", "image": PATH}` or
    `{"type": "image_url", "image_url": {"url": PATH}}`. An image may also stand in the row's `image` or `images`, its
    place a part without a path, or `<image>` in a text.

    Raises:
        BadRow: it is not so.
    """
    listed = _row_images(row)
    inline: list[ImageRef] = []
    turns = []
    for message in _turns(row, "messages", "content"):
        role, content = _role(message, "role"), message.get("content")
        parts: tuple[Part, ...]
        if isinstance(content, str):
            parts = _marked(content) if listed and role == "user" else (content,)
        elif isinstance(content, list | tuple):
            parts = tuple(_part(part, inline) for part in content)
        else:
            raise BadRow(WRONG_SCHEMA, f"a message's content is {_kind(content)}, neither a text nor a list of parts")
        turns.append(Turn(role, parts))
    if listed and inline:
        raise BadRow(WRONG_SCHEMA, "images both in the messages and beside them")
    return _conversation(turns, listed or inline)


def score_exactly(conversations: Sequence[Conversation], predictions: Sequence[str]) -> dict[str, float | int]:
    """The share of answers that equal the reference after TextVQA's normalisation, as `accuracy`, and `n`."""
    right = [
        float(any(normalise(prediction) == normalise(gold) for gold in conversation.references))
        for conversation, prediction in zip(conversations, predictions, strict=True)
    ]
    return {ACCURACY: fmean(right), "n": len(right)}


def _turns(row: Mapping[str, Any], column: str, text: str) -> list[Mapping[str, Any]]:
    """The row's turns, each a mapping."""
    turns = row.get(column)
    if not isinstance(turns, list | tuple) or not turns:
        raise BadRow(WRONG_SCHEMA, f"{column} is {_kind(turns)}, not a list of turns")
    for turn in turns:
        if not isinstance(turn, Mapping):
            raise BadRow(WRONG_SCHEMA, f"a turn is {_kind(turn)}, not an object with {text}")
    return list(turns)


def _role(turn: Mapping[str, Any], key: str) -> Role:
    said = turn.get(key)
    if isinstance(said, str) and said in _ROLES:
        return _ROLES[said]
    raise BadRow(WRONG_SCHEMA, f"{key} is {said if isinstance(said, str) else _kind(said)!s:.40}: no known role")


def _string(turn: Mapping[str, Any], key: str) -> str:
    said = turn.get(key)
    if isinstance(said, str):
        return said
    raise BadRow(WRONG_SCHEMA, f"{key} is {_kind(said)}, not a text")


def _part(part: Any, inline: list[ImageRef]) -> Part:
    """One part of a message's content; an image that it names goes to `inline`."""
    if not isinstance(part, Mapping):
        raise BadRow(WRONG_SCHEMA, f"a part is {_kind(part)}, not an object with a type")
    kind = part.get("type")
    if kind == "text":
        return _string(part, "text")
    if kind in ("image", "image_url"):
        inline += image_refs([part.get("image"), part.get("image_url"), part.get("path"), part.get("url")])
        return Slot.IMAGE
    raise BadRow(WRONG_SCHEMA, f"a part of type {kind!s:.40}: text, image and image_url can be trained on")


def _row_images(row: Mapping[str, Any]) -> list[ImageRef]:
    return image_refs(row.get("image")) or image_refs(row.get("images"))


def _marked(text: str) -> tuple[Part, ...]:
    """A text with its marks as places for images, without the line breaks that set a mark apart."""
    parts: list[Part] = []
    pieces = text.split(MARK)
    for number, piece in enumerate(pieces):
        if number:
            parts.append(Slot.IMAGE)
            piece = piece.removeprefix("\n")
        if number < len(pieces) - 1:
            piece = piece.removesuffix("\n")
        if piece:
            parts.append(piece)
    return tuple(parts)


def _conversation(turns: list[Turn], images: Sequence[ImageRef]) -> Conversation:
    """A conversation, once its turns and images fit together."""
    asked = turns[1:] if turns and turns[0].role == "system" else turns
    for number, turn in enumerate(asked):
        if turn.role != ("user", "assistant")[number % 2]:
            raise BadRow(WRONG_SCHEMA, f"turn {number + 1} is the {turn.role}'s: user and assistant take turns")
    if not asked or len(asked) % 2:
        raise BadRow(WRONG_SCHEMA, "the last turn is not the assistant's")
    if any(part is Slot.IMAGE for turn in turns if turn.role != "user" for part in turn.parts):
        raise BadRow(WRONG_SCHEMA, "an image outside a user's turn")
    places = sum(part is Slot.IMAGE for turn in asked for part in turn.parts)
    if images and not places:
        # Images that no text mentions stand before the first question, where the other tasks have theirs.
        first = turns.index(asked[0])
        turns[first] = Turn("user", (*[Slot.IMAGE] * len(images), *turns[first].parts))
    elif places != len(images):
        raise BadRow(WRONG_SCHEMA, f"{places} places for images, but {len(images)} images")
    turns = [Turn(turn.role, (turn.text.strip(),)) if turn.role == "assistant" else turn for turn in turns]
    return Conversation(tuple(turns), (turns[-1].text,), images=tuple(images))


def _kind(value: Any) -> str:
    """What a value is, in words."""
    if value is None:
        return "missing"
    return "empty" if isinstance(value, list | tuple) and not value else f"a {type(value).__name__}"
