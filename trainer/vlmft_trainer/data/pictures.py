"""Image files of a data set: where they are, whether they are sound, and their pixels."""

from __future__ import annotations

import base64
import binascii
import io
import re
import warnings
from pathlib import Path
from typing import Final
from urllib.parse import unquote_to_bytes

from PIL import Image

from vlmft_core.errors import first_line
from vlmft_trainer.data.conversation import (
    BROKEN_IMAGE,
    HUGE_IMAGE,
    NO_IMAGE,
    REMOTE_IMAGE,
    BadRow,
    ImageRef,
)

LARGEST_FILE: Final = 256 * 2**20
"""Bytes of the largest image file that is read."""

_BASE64 = re.compile(r"(iVBORw0KGgo|/9j/|R0lGOD|UklGR|Qk|SUkqA|TU0AK)[A-Za-z0-9+/=_\-\s]{40,}")
"""The base64 of a PNG, JPEG, GIF, WebP, BMP or TIFF file. It has no dot, which the names of image files have."""
_URL_SAFE = str.maketrans("-_", "+/")
_SCHEME = re.compile(r"([a-z][a-z0-9+.-]+)://", re.IGNORECASE)


def read_image(ref: ImageRef, folder: Path | None) -> bytes:
    """The content of an image file.

    Args:
        folder: where a relative path starts.

    Raises:
        BadRow: there is no such file, or it is on the network: nothing is fetched.
    """
    if isinstance(ref, bytes):
        return ref
    if ref[:5].lower() == "data:":
        return _data_url(ref)
    if _BASE64.fullmatch(ref):
        return _base64(ref, "base64")
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


def _data_url(ref: str) -> bytes:
    """What a `data:` URL holds, base64 or percent-encoded."""
    head, comma, body = ref.partition(",")
    if not comma:
        raise BadRow(BROKEN_IMAGE, "data URL: no comma, which the content follows")
    content = unquote_to_bytes(body)
    return _base64(content.decode("latin-1"), "data URL") if head.lower().endswith(";base64") else content


def _base64(text: str, what: str) -> bytes:
    """Base64 in its usual forms: with line breaks, without padding, with `-_` for `+/`."""
    plain = "".join(text.split()).rstrip("=").translate(_URL_SAFE)
    try:
        return base64.b64decode(plain + "=" * (-len(plain) % 4), validate=True)
    except (binascii.Error, ValueError) as error:
        raise BadRow(BROKEN_IMAGE, f"{what}: {error}") from error


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
