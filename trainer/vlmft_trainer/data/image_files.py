"""Image files of a data set: their content, from a path, a `data:` URL or base64."""

from __future__ import annotations

import base64
import binascii
import re
from pathlib import Path
from typing import Final
from urllib.parse import unquote_to_bytes

from PIL.Image import Image

from vlmft_trainer.data.conversation import (
    BROKEN_IMAGE,
    HUGE_IMAGE,
    NO_IMAGE,
    REMOTE_IMAGE,
    BadRow,
    ImageRef,
    file_of,
)
from vlmft_trainer.data.pictures import decode, open_image

LARGEST_FILE: Final = 256 * 2**20
"""Bytes of the largest image file that is read."""

_SCHEME = re.compile(r"([a-z][a-z0-9+.-]+)://", re.IGNORECASE)
_BASE64 = re.compile(r"[A-Za-z0-9+/_\-\s]+=*\s*")
_BASE64_HEAD = re.compile(r"(?:image/[\w.+-]+)?[;,]?base64(?:,|://)|b['\"]", re.IGNORECASE)
"""How base64 begins that is not written as a `data:` URL, and bytes as Python writes them."""
_SHOWN = 200
"""Letters of a name that a message shows."""


def read_image(ref: ImageRef, folder: Path | None) -> bytes:
    """The content of an image file.

    Args:
        folder: where a relative path starts.

    Raises:
        BadRow: there is no such file, or it is on the network: nothing is fetched.
    """
    ref = file_of(ref)
    if isinstance(ref, bytes):
        return ref
    if ref[:5].lower() == "data:":
        return _data_url(ref)
    if len(ref) >= 64 and (head := _BASE64_HEAD.match(ref)):
        raise BadRow(BROKEN_IMAGE, f"it begins with {head[0]}: base64 needs data:image/…;base64, before it")
    if (scheme := _SCHEME.match(ref)) and scheme[1].lower() != "file":
        raise BadRow(REMOTE_IMAGE, f"{_shown(ref)}: download it first; only local files are read")
    if (content := _bare_base64(ref)) is not None:
        return content
    name = ref[len("file://") :] if scheme else ref
    if "\0" in name:
        raise BadRow(NO_IMAGE, f"{_shown(name)}: no file's name")
    try:
        path = Path(name) if folder is None else folder / name
        if not path.is_file():  # a folder, a FIFO or a device is no image either
            there = "a folder" if path.is_dir() else "no ordinary file" if path.exists() else "no such file"
            raise BadRow(NO_IMAGE, f"{_shown(str(path.absolute()))}: {there}")
        if path.stat().st_size > LARGEST_FILE:
            raise BadRow(HUGE_IMAGE, f"{_shown(name)}: over {LARGEST_FILE >> 20} MiB")
        return path.read_bytes()
    except OSError as error:
        raise BadRow(NO_IMAGE, f"{_shown(name)}: {error.strerror}") from error


def decode_image(ref: ImageRef, content: bytes) -> Image:
    """The pixels of an image file.

    Args:
        content: the file, as `read_image` has it.

    Raises:
        BadRow: as `decode`; with the file's name where it has one.
    """
    try:
        return decode(content)
    except BadRow as error:
        name = file_of(ref)
        if isinstance(name, bytes) or name[:5].lower() == "data:" or _bare_base64(name) is not None:
            raise
        raise BadRow(error.reason, f"{_shown(name)}: {error.detail}") from error


def _data_url(url: str) -> bytes:
    """What a `data:` URL holds: base64, or bytes, which may be written with `%`.

    Raises:
        BadRow: it is neither.
    """
    head, _, text = url.partition(",")
    content = unquote_to_bytes(text)
    try:
        if head.rstrip().lower().endswith(";base64"):
            return _from_base64(content.decode("latin-1"))
        open_image(content)
    except BadRow:
        raise BadRow(BROKEN_IMAGE, f"{_shown(head)}: base64 needs data:image/…;base64, before it") from None
    except ValueError as error:
        raise BadRow(BROKEN_IMAGE, f"data URL: {error}") from error
    return content


def _from_base64(text: str) -> bytes:
    """Base64 with either alphabet, with or without line breaks and padding.

    Raises:
        ValueError: it is none.
    """
    plain = "".join(text.split()).translate({ord("-"): "+", ord("_"): "/"}).rstrip("=")
    return base64.b64decode(plain + "=" * (-len(plain) % 4), validate=True)


def _bare_base64(name: str) -> bytes | None:
    """An image that stands as base64 where a path is expected; None for a path.

    Raises:
        BadRow: it can only be base64, and is no image.
    """
    if len(name) < 64 or not _BASE64.fullmatch(name):  # a path's name has a dot before its ending
        return None
    try:
        content = _from_base64(name)
        open_image(content)
    except (BadRow, binascii.Error):
        if max(map(len, name.split("/"))) < 256:  # what a file's name can be
            return None
        raise BadRow(NO_IMAGE, "neither a path nor an image as base64, which needs data:image/…;base64,") from None
    return content


def _shown(name: str) -> str:
    """As much of a name as a message shows."""
    return name if len(name) <= _SHOWN else f"{name[:_SHOWN]}… ({len(name):,} letters)"
