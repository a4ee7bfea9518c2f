"""Row keys: every key of a row, a turn, a part or an image is used, refused with what to do, or named as not used."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from vlmft_core.preset.data_schema import COLUMNS
from vlmft_trainer.data.conversation import UNSUPPORTED, WRONG_SCHEMA, BadRow

_VIDEO = "videos cannot be trained on: remove such rows, or give the frames as images"
_AUDIO = "sound cannot be trained on: remove such rows"
_TOOLS = "tool calls cannot be trained on: remove such rows, or write the call as the text of an answer"
_PAIRS = "pairs of answers cannot be trained on: keep the better answer as the only one"
_THOUGHTS = "thoughts cannot be trained on apart from the answer: put them into its text, or remove them"
_FLAG = "whether an answer is trained on is said by `loss` (true, false)"
SIZES: Final = ("min_pixels", "max_pixels", "resized_width", "resized_height")
"""Keys of an image that say to what size it is scaled."""


CONTENTS: Final[Mapping[str, str]] = {
    **dict.fromkeys(("video", "videos", "video_url", "video_path", "video_paths"), _VIDEO),
    **dict.fromkeys(("audio", "audios", "audio_url", "audio_path", "audio_paths", "input_audio", "sound"), _AUDIO),
    **dict.fromkeys(("tools", "tool_calls", "tool_call", "tool_call_id", "functions", "function_call"), _TOOLS),
    **dict.fromkeys(("chosen", "rejected", "rejected_response", "rejected_messages", "rejected_images"), _PAIRS),
}
"""What is refused wherever it stands, if it is filled, and what to do about it."""

ROLES: Final[Mapping[str, str]] = dict.fromkeys(
    ("tool", "tools", "tool_call", "tool_response", "function", "function_call", "observation", "ipython"), _TOOLS
)
"""Roles that are refused, and what to do about them."""

MARKS: Final[Mapping[str, str]] = {"video": _VIDEO, "audio": _AUDIO}
"""What marks in a text are refused for, and what to do about them."""

EXPECTED: Final = frozenset(
    f"column {name}"
    for name in (
        *(
            "id",
            "idx",
            "index",
            "image_id",
            "question_id",
            "question_tokens",
            "image_width",
            "image_height",
            "ocr_tokens",
        ),
        *("image_classes", "flickr_original_url", "flickr_300k_url", "set_name", "question_type", "split"),
    )
)
"""What published data sets hold beside what is trained on: a check names it, a training does not."""


@dataclass(frozen=True)
class Level:
    """What holds keys.

    Attributes:
        of: follows a key's name in a message.
        refused: keys that mean something to others and cannot be honoured, and what to do about them.
        known: keys that some of its kind use: where one is empty, as tables fill them in, it is not there.
    """

    of: str
    refused: Mapping[str, str]
    known: frozenset[str]


ROW: Final = Level("", CONTENTS, frozenset(name for names in COLUMNS.values() for name in names))
TURN: Final = Level(
    " of a turn",
    {**CONTENTS}
    | dict.fromkeys(("image", "images"), "an image stands in a part of the turn's content, or in the row's `images`")
    | dict.fromkeys(("reasoning_content", "reasoning", "thinking"), _THOUGHTS)
    | dict.fromkeys(
        ("train", "training", "trainable", "mask", "masked", "loss_mask", "loss_scale", "loss_weight"), _FLAG
    ),
    frozenset(("role", "content", "from", "value", "loss", "weight")),
)
PART: Final = Level(
    " of a part",
    CONTENTS,
    frozenset(("type", "text", "image", "image_url", "path", "url", "bytes", "base64", *SIZES)),
)
IMAGE: Final = Level(
    " of an image",
    PART.refused,
    frozenset(("bytes", "base64", "path", "url", "image", "file_name", "image_path", *SIZES)),
)
OBJECTS: Final = Level(" of objects", {}, frozenset(("ref", "bbox", "bbox_type", "image_id")))


_EMPTY_JSON: Final = ("[]", "{}", "null")
"""What a column that is written as JSON has where it says nothing, as LLaMA-Factory's `tools`."""


class Keys:
    """The keys of one row, turn, part or image. Who reads them takes them, and closes them at the end.

    Args:
        level: what they are keys of.
        values: what they hold.
        unused: gets the name of each that was not taken.

    Raises:
        BadRow: one holds what cannot be trained on.
    """

    __slots__ = ("left", "level", "unused", "values")

    def __init__(self, level: Level, values: Mapping[str, Any], unused: list[str]) -> None:
        self.level, self.values, self.unused = level, values, unused
        self.left = dict.fromkeys(values)
        if level.refused.keys().isdisjoint(values):
            return
        for key in values:
            if key in level.refused and filled(values[key]) and values[key] not in _EMPTY_JSON:
                raise BadRow(UNSUPPORTED, f"{self.named(key)}: {level.refused[key]}")

    def take(self, key: str) -> Any:
        """What a key holds; None where there is no such key."""
        self.left.pop(key, None)
        return self.values.get(key)

    def close(self) -> None:
        """Name what nobody took."""
        for key in self.left:
            if key not in self.level.known or filled(self.values[key]):
                self.unused.append(self.named(key))

    def named(self, key: str) -> str:
        return f"{'key' if self.level.of else 'column'} {key!s:.60}{self.level.of}"


_OFF: Final = (False, 0, "false", "False", "0")


def refuse_untrained(row: Mapping[str, Any]) -> None:
    """Refuse a row that says as a whole that it is not, or not all of it, to be learnt.

    Raises:
        BadRow: it does.
    """
    if row.get("label") is False or row.get("kto_tag", True) in _OFF:
        column = "label" if row.get("label") is False else "kto_tag"
        raise BadRow(UNSUPPORTED, f"column {column} is false: {_PAIRS}")
    for column in ("loss", "weight"):
        if row.get(column, True) in _OFF:
            said = f"column {column} is {quoted(row[column]).lower()}"
            raise BadRow(UNSUPPORTED, f"{said}: remove such rows, or say it of their turns")
    if row.get("mask_history") and row["mask_history"] not in _OFF:
        raise BadRow(UNSUPPORTED, "column mask_history: data.train_on: last trains on the last answers alone")


def filled(value: Any) -> bool:
    """Whether a value holds anything: not null nor empty, nor an object of nothing else, as tables fill them in."""
    return any(map(_holds, value.values())) if isinstance(value, Mapping) else _holds(value)


def _holds(value: Any) -> bool:
    return value is not None and not (isinstance(value, str | bytes | list | tuple | Mapping) and not value)


def as_text(value: Any, column: str) -> str:
    """A text, or a number as one; NaN is what pandas writes where there is nothing.

    Raises:
        BadRow: it is neither.
    """
    if isinstance(value, str):
        return value
    if isinstance(value, int | float) and not isinstance(value, bool) and value == value:
        return str(value)
    raise BadRow(WRONG_SCHEMA, f"{column} is {kind(value)}, not a text")


_KINDS: Final[Mapping[type, str]] = {
    str: "a text",
    int: "a number",
    float: "a number",
    list: "a list",
    tuple: "a list",
    Mapping: "an object",
    bytes: "bytes",
}
"""What values are called, by their types."""


def kind(value: Any) -> str:
    """What a value is, in words."""
    if value is None or value != value:
        return "missing"
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, list | tuple) and not value:
        return "empty"
    return next((name for what, name in _KINDS.items() if isinstance(value, what)), f"a {type(value).__name__}")


def quoted(value: Any) -> str:
    """A value as a message shows it, a text in quotes."""
    return f"{json.dumps(value) if isinstance(value, str) else value!s:.40}"
