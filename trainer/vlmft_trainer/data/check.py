"""Finding unusable samples before training, without decoding every image."""

from __future__ import annotations

import io
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass

from vlmft_trainer.data.encode import Encoder
from vlmft_trainer.data.sources import Split

NO_IMAGE = "no image"
BROKEN_IMAGE = "broken image"
NARROW_IMAGE = "image too narrow"
NO_ANSWER = "empty answer"
TOO_LONG = "longer than data.max_length"


@dataclass(frozen=True)
class Bad:
    """One unusable sample: why, and where it stands."""

    reason: str
    where: str


def examine(split: Split, row: int, encoder: Encoder, max_length: int) -> int | Bad:
    """The length of a sample in tokens, or what is wrong with it.

    Args:
        max_length: longest usable sample in tokens, image tokens included.
    """
    question, content = split.read(row)
    if not question.target:
        return Bad(NO_ANSWER, split.where(row))
    if content is None:
        return Bad(NO_IMAGE, split.where(row))
    if (size := image_size(content)) is None:
        return Bad(BROKEN_IMAGE, split.where(row))
    try:
        length = encoder.length(question.prompt, question.target, *size)
    except ValueError:
        return Bad(NARROW_IMAGE, split.where(row))
    return Bad(TOO_LONG, split.where(row)) if length > max_length else length


def image_size(content: bytes) -> tuple[int, int] | None:
    """Width and height in pixels of an image file; None if it is broken.

    PNG carries checksums, which `verify` compares. JPEG has none: one that lacks its end marker was cut short, or is
    merely odd, so only such a file is decoded to find out.
    """
    from PIL import Image

    try:
        image = Image.open(io.BytesIO(content))
        size = image.size
        if image.format == "JPEG":
            if b"\xff\xd9" not in content[-65536:]:
                image.load()
        else:
            image.verify()
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError):
        # Pillow raises SyntaxError for a broken PNG chunk; the others are its documented errors.
        return None
    return size


def report(kind: str, bad: Iterable[Bad], checked: int, named: int = 3) -> str:
    """One line that counts bad samples by reason and names the first `named` of each.

    Args:
        kind: `training` or `eval`.
        checked: how many samples were looked at.
    """
    by_reason: dict[str, list[str]] = defaultdict(list)
    for one in bad:
        by_reason[one.reason].append(one.where)
    parts = [
        f"{len(places)} {reason} ({'; '.join(places[:named])}{'; …' if len(places) > named else ''})"
        for reason, places in by_reason.items()
    ]
    count = sum(len(places) for places in by_reason.values())
    return f"{count} of {checked} {kind} samples cannot be used: {', '.join(parts)}"
