"""Image references: what a row's columns, parts and mappings say of its images, before any file is looked at."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from typing import Any, Final

import orjson

from vlmft_trainer.data.conversation import NO_IMAGE, WRONG_SCHEMA, BadRow, ImageRef, SizedImage, file_of
from vlmft_trainer.data.row_keys import IMAGE, SIZES, Keys, filled, kind, quoted

OTHER_COLUMNS: Final = ("image_path", "image_paths", "image_file", "image_url", "image_urls", "file_name")
"""Columns that hold images in a row without `image` and `images`, if what they hold looks like it."""

_HOLDERS: Final = ("bytes", "base64", "path", "url", "image", "file_name", "image_path")
"""Keys of an image that say where it is."""

_IMAGE_NAME = re.compile(
    r"\S+\.(?:png|jpe?g|webp|gif|bmp|tiff?|avif|heic)|data:image/\S+|(?-i:iVBORw0KGgo|/9j/|R0lGOD|UklGR)[\w+/=\s-]{50,}",
    re.IGNORECASE,
)
"""A path, a `data:` URL, or base64 of a PNG, JPEG, GIF or WebP file, each by how it begins."""


def row_images(row: Keys) -> list[ImageRef]:
    """The images of a row's columns.

    Raises:
        BadRow: it is not clear which are meant, or one is no image.
    """
    single, several = (image_refs(row.take(column), row.unused) for column in ("image", "images"))
    if single and several and single != several:
        raise BadRow(WRONG_SCHEMA, "images in both `image` and `images`: keep one")
    if found := single or several:
        return found
    others = [column for column in OTHER_COLUMNS if column in row.left and _looks_like_images(row.values[column])]
    if len(others) > 1:
        raise BadRow(WRONG_SCHEMA, f"images in both {' and '.join(others)}: name one in the source's `columns`")
    return image_refs(row.take(others[0]), row.unused) if others else []


def refuse_hidden_images(row: Keys) -> None:
    """Refuse a row that is read as text alone and has a column that looks like its image.

    Raises:
        BadRow: it has.
    """
    for column in row.left:
        if _looks_like_images(row.values[column]):
            raise BadRow(
                NO_IMAGE,
                f"column {column:.60} seems to hold an image, and nothing says so: name it `image`, or write"
                f" `columns: {{image: {column:.60}}}` in the source",
            )


def image_refs(value: Any, unused: list[str]) -> list[ImageRef]:
    """What a column says of its images: none, one, or a list, which may be written as JSON.

    Args:
        unused: gets the name of each key of an image that is not used.

    Raises:
        BadRow: it is something else.
    """
    value = unpacked(value)
    if isinstance(value, list | tuple):
        return [image_ref(item, unused) for item in value]
    return [image_ref(value, unused)] if filled(value) else []


def image_ref(value: Any, unused: list[str]) -> ImageRef:
    """One image: a path, a file's content, or a mapping with either, as `datasets` and the chat formats write them.

    Raises:
        BadRow: it is none of these.
    """
    if isinstance(value, str | bytes) and value:
        return value
    if not filled(value):
        raise BadRow(NO_IMAGE, "an image is empty")
    if not isinstance(value, Mapping):
        raise BadRow(WRONG_SCHEMA, f"an image is {kind(value)}, not a path")
    keys = Keys(IMAGE, value, unused)
    if filled(value.get("bytes")):
        said = {"bytes": keys.take("bytes")}
        keys.take("path")  # the file's name
    else:
        said = {key: where for key in _HOLDERS if filled(where := keys.take(key))}
    size = own_size(keys)
    keys.close()
    if len(said) > 1:
        raise BadRow(WRONG_SCHEMA, f"an image has both {' and '.join(said)}: keep one")
    if not said:
        raise BadRow(NO_IMAGE, f"an image has {', '.join(map(str, value))[:100]}, and no path, url or bytes")
    return sized(image_ref(next(iter(said.values())), unused), size)


def own_size(keys: Keys) -> dict[str, Any]:
    """What a part or an image says of the size it is scaled to, as `SizedImage` has it; empty where it says nothing.

    Raises:
        BadRow: no size can be that.
    """
    said = {name: value for name in SIZES if (value := keys.take(name)) is not None}
    for name, value in said.items():
        whole = isinstance(value, int) or (isinstance(value, float) and value.is_integer())
        if isinstance(value, bool) or not whole or value < 1:
            raise BadRow(WRONG_SCHEMA, f"{keys.named(name)} is {quoted(value)}, not a number of pixels")
    size = {name: int(value) for name, value in said.items()}
    width, height = size.pop("resized_width", None), size.pop("resized_height", None)
    if (width is None) != (height is None):
        raise BadRow(WRONG_SCHEMA, "resized_width and resized_height stand together, or neither")
    if width is not None and size:
        raise BadRow(WRONG_SCHEMA, f"{next(iter(size))} beside resized_width and resized_height: keep one")
    if size.get("min_pixels", 0) > size.get("max_pixels", math.inf):
        raise BadRow(WRONG_SCHEMA, f"min_pixels {size['min_pixels']} is over max_pixels {size['max_pixels']}")
    return size if width is None else {"resized": (width, height)}


def sized(image: ImageRef, size: Mapping[str, Any]) -> ImageRef:
    """An image with a size of its own, if it has one.

    Raises:
        BadRow: it has one already.
    """
    if size and isinstance(image, SizedImage):
        raise BadRow(WRONG_SCHEMA, "an image and what holds it both say its size: keep one")
    return SizedImage(file_of(image), **size) if size else image


def unpacked(value: Any) -> Any:
    """The list that a text holds as JSON, as tables of texts have it; anything else as it is."""
    if not isinstance(value, str):
        return value
    try:
        found = orjson.loads(value)
    except orjson.JSONDecodeError:
        return value
    return found if isinstance(found, list) else value


def _looks_like_images(value: Any) -> bool:
    """Whether a column that nobody has named holds images."""
    if isinstance(value, list | tuple):
        return bool(value) and all(map(_looks_like_images, value))
    if isinstance(value, Mapping):
        return any(map(_looks_like_images, map(value.get, _HOLDERS)))
    return isinstance(value, bytes) or (isinstance(value, str) and _IMAGE_NAME.fullmatch(value) is not None)
