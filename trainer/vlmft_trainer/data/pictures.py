"""Image files of a data set: where they are, whether they are sound, and their pixels."""

from __future__ import annotations

import base64
import binascii
import io
import re
import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from PIL import Image

from vlmft_core.errors import first_line
from vlmft_trainer.data.conversation import (
    BROKEN_IMAGE,
    HUGE_IMAGE,
    NO_IMAGE,
    REMOTE_IMAGE,
    WRONG_SCHEMA,
    BadRow,
    ImageRef,
)

LARGEST_FILE: Final = 256 * 2**20
"""Bytes of the largest image file that is read."""

_SCHEME = re.compile(r"([a-z][a-z0-9+.-]+)://", re.IGNORECASE)


def image_refs(value: Any) -> list[ImageRef]:
    """What a column or a message says of its images: none, one, or a list; each a path, a file's content, or a
    mapping with `bytes`, `path` or `url`, as `datasets` and the chat formats write them.

    Raises:
        BadRow: it is something else.
    """
    if value is None:
        return []
    if isinstance(value, list | tuple):
        return [ref for item in value for ref in image_refs(item)]
    if isinstance(value, Mapping):
        found = next((value[key] for key in ("bytes", "path", "url", "image") if value.get(key)), None)
        return image_refs(found)
    if isinstance(value, str | bytes):
        return [value] if value else []
    raise BadRow(WRONG_SCHEMA, f"an image is a {type(value).__name__}, not a path")


def read_image(ref: ImageRef, folder: Path | None) -> bytes:
    """The content of an image file.

    Args:
        folder: where a relative path starts.

    Raises:
        BadRow: there is no such file, or it is on the network: nothing is fetched.
    """
    if isinstance(ref, bytes):
        return ref
    if ref.startswith("data:"):
        try:
            return base64.b64decode(ref.partition(",")[2], validate=True)
        except binascii.Error as error:
            raise BadRow(BROKEN_IMAGE, f"data URL: {error}") from error
    if (scheme := _SCHEME.match(ref)) and scheme[1].lower() != "file":
        raise BadRow(REMOTE_IMAGE, f"{ref[:200]}: download it first; only local files are read")
    name = ref[len("file://") :] if scheme else ref
    try:
        path = Path(name) if folder is None else folder / name
        if not path.is_file():  # a folder, a FIFO or a device is no image either
            raise BadRow(NO_IMAGE, f"{name[:200]}: no such file")
        if path.stat().st_size > LARGEST_FILE:
            raise BadRow(HUGE_IMAGE, f"{name[:200]}: over {LARGEST_FILE >> 20} MiB")
        return path.read_bytes()
    except OSError as error:
        raise BadRow(NO_IMAGE, f"{name[:200]}: {error.strerror}") from error


def image_size(content: bytes) -> tuple[int, int]:
    """Width and height in pixels of an image file, which is checked without decoding it where that can be.

    PNG carries checksums, which `verify` compares. JPEG has none: one that lacks its end marker was cut short, or is
    merely odd, so only such a file is decoded to find out.

    Raises:
        BadRow: it is broken, or would take too much memory.
    """
    image = _open(content)
    size = image.size
    try:
        if image.format == "JPEG":
            if b"\xff\xd9" not in content[-65536:]:
                image.load()
        else:
            image.verify()
    except (OSError, ValueError, SyntaxError) as error:
        # Pillow raises SyntaxError for a broken PNG chunk; the others are its documented errors.
        raise BadRow(BROKEN_IMAGE, _said(error)) from error
    return size


def decode(content: bytes) -> Image.Image:
    """An image file's pixels, in RGB.

    Raises:
        BadRow: as `image_size`.
    """
    image = _open(content)
    try:
        return image.convert("RGB")
    except (OSError, ValueError, SyntaxError) as error:
        raise BadRow(BROKEN_IMAGE, _said(error)) from error


def _open(content: bytes) -> Image.Image:
    """Open an image file without decoding it."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", Image.DecompressionBombWarning)  # twice as many pixels is the limit
            return Image.open(io.BytesIO(content))
    except Image.DecompressionBombError as error:
        raise BadRow(HUGE_IMAGE, f"over {2 * (Image.MAX_IMAGE_PIXELS or 0):,} pixels") from error
    except (OSError, ValueError, SyntaxError) as error:
        raise BadRow(BROKEN_IMAGE, _said(error)) from error


def _said(error: Exception) -> str:
    """Pillow's words, without the address of the buffer it names."""
    return re.sub(r" <_io\.BytesIO[^>]*>", "", first_line(error))
