"""Grounding: boxes and names of objects in a conversation, from `objects` and from texts of a source that says so."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any, Final

import orjson

from vlmft_core.figures import counted
from vlmft_trainer.data.conversation import (
    WRONG_SCHEMA,
    BadRow,
    Box,
    Conversation,
    Name,
    Part,
    Slot,
    Turn,
)
from vlmft_trainer.data.row_keys import OBJECTS, Keys, filled, kind, quoted

_SAID: Final[Mapping[Any, str]] = {None: "", "": "", "real": "absolute", "norm1": "relative_1"}
"""`bbox_type` of ms-swift, as a source's `boxes` says it."""

_TOKENS = "|".join(re.escape(slot.value) for slot in Slot if slot.value.startswith("<|"))
_KEY = r"[\"'](?:bbox_2d|bbox|point_2d|point|coordinate)[\"']\s*:\s*"
_OTHER_KEY = r"[\"'](?:box_2d|box|boxes|bounding_box|coordinates)[\"']\s*:\s*"
_IN_TEXT = re.compile(rf"({_TOKENS})|({_KEY})")
_N = r"\s*-?\d+(?:\.\d+)?\s*"
_FOUR = rf"[\[(]{_N}(?:,{_N}){{3}}[\])]"
_SIDE = rf"[\"'](?:x1|x_?min|xmax|left)[\"']\s*:{_N}"
_SIDE += rf"|[\"']x[\"']\s*:{_N},\s*[\"']y[\"']\s*:{_N},\s*[\"'](?:w|h|width|height|x2)[\"']"
_TAGS = r"<box>|<(?:loc|coord)_?\d|<points? x|<patch_index_|<bndbox>|<x_?min>|<\|det\|>"
_AT = r"click|tap|move_?to|drag_?to"
_CLICK = rf"(?i:\b(?:{_AT}|press|scroll)\((?:x=|(?:start_)?(?:box|point)=)|\b(?:{_AT})\({_N},{_N})"
_OTHERS = rf"{_OTHER_KEY}\[|{_TAGS}|{_CLICK}|{_FOUR}|{_SIDE}"
_OPENING = re.compile(r"[<\[({]")
_UNREAD = re.compile(_OTHERS)
"""What looks like a box and is read as none, whatever a source declares. Pairs of numbers mostly are something else."""
_UNDECLARED = re.compile(rf"{_TOKENS}|{_KEY}\[|{_OTHERS}")
_POINTS = re.compile(r"\s*\(\s*[^(),]+,\s*[^(),]+\)(?:\s*,?\s*\(\s*[^(),]+,\s*[^(),]+\))*\s*")
_NUMBER = re.compile(r"[-+]?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?")


def fill_in(turns: Sequence[Turn], objects: Any, images: int, unused: list[str]) -> list[Turn]:
    """Turns with a box in the place of each `<bbox>` and a name in that of each `<ref-object>`, in their order.

    Args:
        objects: ms-swift's: `bbox` (x and y by turns, of one point, two corners or more), `ref` (names), `bbox_type`
            (`real` for pixels, `norm1` for shares of the sides), `image_id` (each box's image, from 0; left out, it is
            the first). It may be written as JSON.
        images: how many there are.
        unused: gets the name of each key that is not used.

    Raises:
        BadRow: they do not fit together.
    """
    marks: list[Slot] = [part for turn in turns for part in turn.parts if part in (Slot.BOX, Slot.NAME)]
    if not marks:
        if filled(objects):
            unused.append("column objects (no text has <bbox> or <ref-object>)")
        return list(turns)
    if not filled(objects):
        raise BadRow(WRONG_SCHEMA, f"{marks[0].value} in a text, and no `objects` to fill it in")
    if isinstance(objects, str):
        try:
            objects = orjson.loads(objects)
        except orjson.JSONDecodeError as error:
            raise BadRow(WRONG_SCHEMA, "objects is a text, and not JSON") from error
    if not isinstance(objects, Mapping):
        raise BadRow(WRONG_SCHEMA, f"objects is {kind(objects)}, not an object with ref and bbox")
    keys = Keys(OBJECTS, objects, unused)
    fillings: dict[Slot, list[Any]] = {
        Slot.BOX: _boxes(keys, images),
        Slot.NAME: [Name(_name(name)) for name in _listed(keys, "ref")],
    }
    keys.close()
    for slot, there in fillings.items():
        if (places := marks.count(slot)) != len(there):
            what = "bbox" if slot is Slot.BOX else "ref"
            raise BadRow(WRONG_SCHEMA, f"{places} {slot.value} in the texts, but {len(there)} in objects.{what}")
    following = {slot: iter(there) for slot, there in fillings.items()}
    return [
        replace(
            turn,
            parts=tuple(
                next(following[part]) if isinstance(part, Slot) and part in following else part for part in turn.parts
            ),
        )
        for turn in turns
    ]


def _boxes(objects: Keys, images: int) -> list[Box]:
    """The boxes of `objects`."""
    said, unit = _listed(objects, "bbox"), objects.take("bbox_type")
    if not isinstance(unit, str | None) or unit not in _SAID:
        raise BadRow(WRONG_SCHEMA, f"objects.bbox_type is {unit!s:.40}: it can be real or norm1")
    numbers = _listed(objects, "image_id") or [0] * len(said)
    if len(numbers) != len(said):
        raise BadRow(WRONG_SCHEMA, f"{len(numbers)} in objects.image_id, but {len(said)} in objects.bbox")
    for number in numbers:
        if isinstance(number, bool) or not isinstance(number, int) or not 0 <= number < images:
            wrong = f"objects.image_id is {quoted(number)}: images are numbered from 0"
            raise BadRow(WRONG_SCHEMA, f"{wrong}, {counted(images, 'image')} in all")
    return [Box(_numbers(box, "objects.bbox"), image, _SAID[unit]) for box, image in zip(said, numbers, strict=True)]


def _listed(objects: Keys, key: str) -> list[Any]:
    value = objects.take(key)
    if value is None or isinstance(value, list | tuple):
        return list(value or ())
    raise BadRow(WRONG_SCHEMA, f"objects.{key} is {kind(value)}, not a list")


def _name(value: Any) -> str:
    if isinstance(value, str):
        return value
    raise BadRow(WRONG_SCHEMA, f"objects.ref holds {kind(value)}, not a name")


def _numbers(value: Any, where: str) -> tuple[float, ...]:
    """A box's numbers."""
    if not isinstance(value, list | tuple) or not all(
        isinstance(number, int | float) and not isinstance(number, bool) and math.isfinite(number) for number in value
    ):
        raise BadRow(WRONG_SCHEMA, f"{where} is {str(value)[:60]}, not a list of numbers")
    if not value or len(value) % 2:
        raise BadRow(WRONG_SCHEMA, f"{where} has {counted(len(value), 'number')}: x and y by turns are needed")
    return tuple(value)


def declared(conversation: Conversation, unit: str | None, style: str) -> Conversation:
    """A conversation whose boxes all say their unit, and are written as its source asks for.

    Args:
        unit: as a source's `boxes`: with it, boxes in texts are boxes, and the tokens around them tokens.
        style: as a source's `box_style`.

    Raises:
        BadRow: what is declared is not there as it should be.
    """
    if unit is None and not any(isinstance(part, Box | Name) for turn in conversation.turns for part in turn.parts):
        return conversation
    images = len(conversation.images)

    def written(part: Part) -> Iterator[Part]:
        if isinstance(part, Box):
            box = replace(part, unit=part.unit or unit or "absolute", pairs=style == "tokens")
            yield from (Slot.BOX_START, box, Slot.BOX_END) if box.pairs else (box,)
        elif isinstance(part, Name):
            yield from (Slot.NAME_START, part.text, Slot.NAME_END) if style == "tokens" else (part.text,)
        elif isinstance(part, str) and unit is not None:
            yield from _in_text(part, unit, images)
        else:
            yield part

    turns = tuple(
        replace(turn, parts=joined(found for part in turn.parts for found in written(part)))
        for turn in conversation.turns
    )
    return replace(conversation, turns=turns)


def _in_text(text: str, unit: str, images: int) -> Iterator[Part]:
    """A text of a source that declares boxes: its boxes and tokens apart."""
    at = 0
    while found := _IN_TEXT.search(text, at):
        token, key = found.groups()
        yield text[at : found.start()]
        at = found.end()
        if key:
            yield key
            try:
                value, at = json.JSONDecoder().raw_decode(text, at)
            except (ValueError, RecursionError) as error:
                raise BadRow(WRONG_SCHEMA, f"{key.strip()} in a text, and no list behind it") from error
            yield from _nested(value, key.strip(" :\"'"), unit, images)
            continue
        slot = Slot(token)
        yield slot
        if slot in (Slot.BOX_START, Slot.QUAD_START):
            closing = Slot.BOX_END if slot is Slot.BOX_START else Slot.QUAD_END
            end = text.find(closing.value, at)
            points = text[at:end] if end >= 0 else ""
            if not _POINTS.fullmatch(points):
                raise BadRow(WRONG_SCHEMA, f"{slot.value} in a text, and no (x,y),… {closing.value} behind it")
            said = [_number(one) for one in re.split(r"[(),\s]+", points.strip(" ()\n")) if one]
            yield replace(_of_one_image(_numbers(said, slot.value), unit, images), pairs=True)
            yield closing
            at = end + len(closing.value)
    yield text[at:]


def _number(text: str) -> float:
    if not _NUMBER.fullmatch(text):
        raise BadRow(WRONG_SCHEMA, f"{text[:40]} in a box, not a number")
    return float(text) if set(text) & set(".eE") else int(text)


def _nested(value: Any, key: str, unit: str, images: int) -> Iterator[Part]:
    """A list of numbers as a box; a list of such lists as it is written, with its boxes; an empty one as it is."""
    if not isinstance(value, list):
        raise BadRow(WRONG_SCHEMA, f"{key} is {kind(value)}, not a list of numbers")
    if value and not isinstance(value[0], list):
        yield _of_one_image(_numbers(value, key), unit, images)
        return
    yield "["
    for number, one in enumerate(value):
        yield ", " if number else ""
        yield from _nested(one, key, unit, images)
    yield "]"


def _of_one_image(numbers: tuple[float, ...], unit: str, images: int) -> Box:
    """A box in a text."""
    if images == 1:
        return Box(numbers, 0, unit)
    which = f"{images} images: use <bbox>, and `objects` with image_id" if images else "no image"
    raise BadRow(WRONG_SCHEMA, f"a box in a text, and {which}")


def undeclared(conversation: Conversation, unit: str | None) -> bool:
    """Whether texts about images hold what looks like boxes or their tokens, of this or of other models, and is left as
    it is.

    Args:
        unit: as a source's `boxes`; with it, those that it declares are no text any more.
    """
    pattern = _UNDECLARED if unit is None else _UNREAD
    return bool(conversation.images) and any(
        _OPENING.search(part) and pattern.search(part)
        for turn in conversation.turns
        for part in turn.parts
        if isinstance(part, str)
    )


def joined(parts: Iterable[Part]) -> tuple[Part, ...]:
    """Parts with texts that follow each other made one; an empty text only where there is nothing else."""
    found: list[Part] = []
    for part in parts:
        if isinstance(part, str) and found and isinstance(found[-1], str):
            found[-1] += part
        elif part or not isinstance(part, str):
            found.append(part)
    return tuple(found) or ("",)
