"""Preview of a sample as it is trained on: its tokens as text, what carries loss, and small pictures of its images."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby
from typing import Any, Final

from PIL import ImageDraw
from PIL.Image import Image

from vlmft_trainer.data.conversation import BadRow, Conversation
from vlmft_trainer.data.encode import IGNORED, Encoded, Encoder, Fit
from vlmft_trainer.data.fitting import fitted, scaled
from vlmft_trainer.data.sample_check import bad, refuse_longer, refuse_unanswered, spelt_tokens
from vlmft_trainer.data.sources import Split

BOX_COLOUR: Final = "red"

TEXT, SUPERVISED, IMAGE = "text", "supervised", "image"


def preview(split: Split, row: int, encoder: Encoder, max_length: int, columns: int, rows: int) -> dict[str, Any]:
    """One sample for JSON: `where`, and either `bad`, or its size, segments and images.

    Args:
        max_length: longest usable sample in tokens.
        columns: widest picture, in pixels.
        rows: highest picture, in pixels.
    """
    try:
        conversation, images = split.sample(row)
        refuse_unanswered(conversation)
        if not all(image.width and image.height for image in images):
            raise BadRow("empty image")
        shown, fits = fitted(conversation, [image.size for image in images], encoder)
        encoded = encoder.conversation(shown.turns, images, fits)
        refuse_longer(max_length, encoded.length, "tokens")
    except BadRow as error:
        return {"where": split.where(row), "bad": bad(split, row, error).reason, "detail": error.detail}
    except ValueError as error:  # the image processor's, for an image of a shape that the model does not take
        return {"where": split.where(row), "bad": "unusable", "detail": str(error)}
    return {
        "where": split.where(row),
        "unused": [*conversation.unused, *spelt_tokens(conversation, encoder)],
        "tokens": encoded.length,
        "supervised": encoded.length - encoded.labels.count(IGNORED),
        "segments": segments(encoded, encoder),
        "images": [
            {
                "width": image.width,
                "height": image.height,
                "resized": [fit.width, fit.height],
                "boxes": boxes,
                **picture(image, columns, rows, boxes, (fit.width, fit.height)),
            }
            for image, fit, boxes in zip(images, fits, _boxes(conversation, images, fits), strict=True)
        ],
    }


def _boxes(conversation: Conversation, images: Sequence[Image], fits: Sequence[Fit]) -> list[list[tuple[int, ...]]]:
    """The boxes of each image, in pixels of the resized one."""
    return [
        [scaled(box, image.size, fit) for box in conversation.boxes if box.image == number]
        for number, (image, fit) in enumerate(zip(images, fits, strict=True))
    ]


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


def picture(
    image: Image, columns: int, rows: int, boxes: Sequence[Sequence[int]] = (), sides: tuple[int, int] = (1, 1)
) -> dict[str, Any]:
    """A small copy with its boxes drawn: `size` in pixels, and `pixels`, six hexadecimal digits each, row by row.

    Args:
        columns: widest, in pixels.
        rows: highest, in pixels.
        boxes: x and y by turns, each.
        sides: width and height that they are measured in.
    """
    small = image.copy()
    small.thumbnail((columns, rows))
    pen = ImageDraw.Draw(small)
    for box in boxes:
        places = [round(number * (small.size[axis % 2] - 1) / sides[axis % 2]) for axis, number in enumerate(box)]
        if len(places) == 4:
            pen.rectangle(places, outline=BOX_COLOUR)
        elif len(places) == 2:
            pen.point(places, fill=BOX_COLOUR)
        else:
            pen.polygon(places, outline=BOX_COLOUR)
    return {"size": small.size, "pixels": small.tobytes().hex()}
