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

_FILM = re.compile(r"<\|?(?P<kind>video|audio)[ _]?(?:\d+|pad|placeholder|token|bos|eos|start|end)?\|?>", re.IGNORECASE)
"""Places of videos and sound."""

_OTHER_MARK = re.compile(
    r"(?P<place><img>[^<>]*</img>|<start_of_image>|<\|?(?:image|imagehere)[ _]?(?:\d+|placeholder|token|start|end)?\|?>"
    r"|<\|?img[ _]?(?:\d+|pad|context)\|?>|(?-i:\[IMG\]))"
    r"|(?P<asked><img\s[^<>]*>|!\[[^\[\]]*\]\([^()]*\)|\{image\}|\[image\]|<region\d*>)"
    r"|<\|(?!box_|quad_|object_ref_)[a-z]\w*\|>|<image_pad>|<(?:start|end)_of_turn>|</s>\s*$|\[/?INST\]|<</?SYS>>",
    re.IGNORECASE,
)
"""Places of images as Qwen-VL, Phi, InternVL, Gemma, Mantis and Pixtral mark them; what may be such a place where it is
asked about, and else is HTML or Markdown; and tokens of templates, Qwen's and others'."""

_INSIDE = re.compile(r"(?<=<img>)[^<>]*(?=<)|(?<=<img\s)[^<>]*|(?<=!\[)[^\[\]]*|(?<=\]\()[^()]*", re.IGNORECASE)
"""What differs from one such mark to the next."""

_OPENING = re.compile(r"[<\[{]")


def marked(text: str) -> tuple[Part, ...]:
    """A text with its marks as places: of images, without the line breaks that set these apart, of boxes and of names.

    Raises:
        BadRow: it has a mark of something else.
    """
    if "<" not in text:
        return (text,)
    if film := _FILM.search(text):
        raise BadRow(UNSUPPORTED, f"{film[0]} in a text: {MARKS[film['kind'].lower()]}")
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
            if not isinstance(part, str) or not _OPENING.search(part):
                continue
            for mark in _OTHER_MARK.finditer(part):
                if mark["place"] and not images:
                    todo = f"name it in `images`, and write {MARK} in its place"
                    raise BadRow(NO_IMAGE, f"{mark[0]:.60} in a text, and no image beside it: {todo}")
                if not mark["asked"] or turn.role == "user":
                    unused.append(f"mark {_INSIDE.sub('…', mark[0].strip()):.60} in a text (it is read as letters)")
