"""Preview of a sample as it is trained on: its tokens as text, what carries loss, and small pictures of its images."""

from __future__ import annotations

from itertools import groupby
from typing import Any

from PIL.Image import Image

from vlmft_trainer.data.conversation import BadRow
from vlmft_trainer.data.encode import IGNORED, Encoded, Encoder
from vlmft_trainer.data.sample_check import bad
from vlmft_trainer.data.sources import Split

TEXT, SUPERVISED, IMAGE = "text", "supervised", "image"


def preview(split: Split, row: int, encoder: Encoder, columns: int, rows: int) -> dict[str, Any]:
    """One sample for JSON: `where`, and either `bad`, or its size, segments and images.

    Args:
        columns: widest picture, in pixels.
        rows: highest picture, in pixels.
    """
    try:
        conversation, images = split.sample(row)
        if not all(image.width and image.height for image in images):
            raise BadRow("empty image")
        encoded = encoder.conversation(conversation.turns, images)
    except BadRow as error:
        return {"where": split.where(row), "bad": bad(split, row, error).reason, "detail": error.detail}
    except ValueError as error:  # the image processor's, for an image of a shape that the model does not take
        return {"where": split.where(row), "bad": "unusable", "detail": str(error)}
    return {
        "where": split.where(row),
        "unused": list(conversation.unused),
        "tokens": encoded.length,
        "supervised": encoded.length - encoded.labels.count(IGNORED),
        "segments": segments(encoded, encoder),
        "images": [{"width": image.width, "height": image.height, **picture(image, columns, rows)} for image in images],
    }


def segments(encoded: Encoded, encoder: Encoder) -> list[dict[str, Any]]:
    """The tokens in runs of one kind: `text` and `supervised` with their text, `image` with how many tokens."""

    def kind(token: tuple[int, int]) -> str:
        return IMAGE if token[0] == encoder.image_id else TEXT if token[1] == IGNORED else SUPERVISED

    found: list[dict[str, Any]] = []
    for what, run in groupby(zip(encoded.input_ids, encoded.labels, strict=True), key=kind):
        ids = [token for token, _ in run]
        found.append({"kind": what, "tokens": len(ids)})
        if what != IMAGE:
            found[-1]["text"] = encoder.tokenizer.decode(ids)
    return found


def picture(image: Image, columns: int, rows: int) -> dict[str, Any]:
    """A small copy: its `size` in pixels and its `pixels`, six hexadecimal digits each, row by row."""
    small = image.copy()
    small.thumbnail((columns, rows))
    return {"size": small.size, "pixels": small.tobytes().hex()}
