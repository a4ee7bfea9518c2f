"""Kinds of files that are no training logs, by their first bytes: what to say of them instead of nothing."""

from __future__ import annotations

import re
from typing import Final

from vlmft_console.history.importers.entries.contents import listed
from vlmft_core.errors import VlmftError

_MAGIC: Final = (
    (0, b"\x89PNG", "a picture (PNG)"),
    (0, b"\xff\xd8\xff", "a picture (JPEG)"),
    (0, b"GIF8", "a picture (GIF)"),
    (8, b"WEBP", "a picture (WebP)"),
    (0, b"II*\0", "a picture (TIFF)"),
    (0, b"MM\0*", "a picture (TIFF)"),
    (4, b"ftyp", "a video or a picture (MP4, HEIF)"),
    (0, b"%PDF", "a PDF document"),
    (0, b"\x7fELF", "a program or a library"),
    (0, b"SQLite format 3\0", "an SQLite database, and not one of trackio's"),
    (0, b"PAR1", "a Parquet table"),
    (0, b"ARROW1", "an Arrow table"),
    (0, b"\x89HDF", "an HDF5 file, such as a Keras model"),
    (0, b"\x93NUMPY", "a NumPy array"),
    (0, b"GGUF", "a GGUF model"),
    (0, b"7z\xbc\xaf\x27\x1c", "a 7z archive"),
    (0, b"Rar!", "a RAR archive"),
    (257, b"ustar", "a tar archive"),
)
_PACKED: Final = (
    (b"\x28\xb5\x2f\xfd", "zstd", "unpack it with `zstd -d {}`"),
    (b"\x04\x22\x4d\x18", "lz4", "unpack it with `lz4 -d {}`"),
    (b"\x1f\x8b", "gzip, twice", "unpack it with `gunzip {}`"),
    (b"\x1f\x9d", "compress", "unpack it with `uncompress {}`"),
)
_ARCHIVE: Final = (
    (b"/data.pkl", "a PyTorch checkpoint"),
    (b"[Content_Types].xml", "an Office document"),
    (b".npy", "NumPy arrays in an archive"),
)
_NAMED = re.compile(rb"""^[ \t-]*["']?([A-Za-z_][\w.-]{0,60})["']?[ \t]*[:=](?:[ \t]|$)""", re.MULTILINE)
_SAYS = re.compile(rb"^[ \t]*[^\s#]", re.MULTILINE)
"""A line that is neither empty nor a comment."""
_KEY = re.compile(rb'"([^"\n]{1,60})"\s*:')
_COLUMN = re.compile(rb"[A-Za-z_][\w ./()%-]{0,60}")
_CODE = re.compile(rb"^(?:import|from) \w[\w.]*|^(?:def|class) \w+", re.MULTILINE)
_BEGIN: Final = 80
"""Characters of a text's first line that are told."""
_MARKUP = re.compile(rb"\s*<(?:!doctype|html|svg|\?xml)", re.IGNORECASE)


def refuse_binary(path: object, head: bytes) -> None:
    """Refuse a file whose first bytes tell that it is none of the formats that are read.

    Raises:
        VlmftError: it says what the file is.
    """
    for magic, name, hint in _PACKED:
        if head.startswith(magic):
            raise VlmftError(f"{path} is compressed with {name}, which is not read", hint=hint.format(path))
    if kind := _binary(head):
        raise VlmftError(f"{path} is {kind}, not a training log")


def _binary(head: bytes) -> str:
    for at, magic, kind in _MAGIC:
        if head.startswith(magic, at):
            return kind
    if head.startswith(b"PK\x03\x04"):
        return next((kind for part, kind in _ARCHIVE if part in head), "a ZIP archive")
    if head[:1] == b"\x80" and head[1:2] in b"\x02\x03\x04\x05" and len(head) > 2:
        return "a Python pickle, such as an older PyTorch checkpoint"
    if head[8:10] == b'{"' and head[3:8] == bytes(5):
        return "a safetensors file: weights"
    return ""


def resembles(head: bytes) -> str:
    """What a text without a training record seems to be, as the end of a sentence; how it begins, where that may be
    anything."""
    text = head.lstrip()
    if text.startswith((b"{", b"[")) and (keys := _names(_KEY, text)):
        return f"it seems to be JSON with the keys {keys}"
    if _MARKUP.match(text):
        return "it seems to be a web page or XML"
    if text.startswith(b"#!") or len(_CODE.findall(text)) > 2:
        return "it seems to be a program's source"
    names = _NAMED.findall(text)
    if len(set(names)) > 2 and len(names) * 2 > len(_SAYS.findall(text)):
        return f"it seems to be a preset or another configuration, with the keys {_names(_NAMED, text)}"
    first = text.split(b"\n", 1)[0]
    cells = [cell.strip().strip(b'"') for cell in re.split(rb"[,;\t]", first)]
    if len(cells) > 1 and text.count(b"\n") and all(_COLUMN.fullmatch(cell) for cell in cells):
        columns = listed([cell.decode("utf-8", "replace") for cell in cells])
        return f"it seems to be a table with the columns {columns}"
    begin = first.decode("utf-8", "replace").strip()
    return f"it begins with {begin[:_BEGIN]!r}" if begin else ""


def _names(pattern: re.Pattern[bytes], text: bytes) -> str:
    return listed(list(dict.fromkeys(name.decode("utf-8", "replace") for name in pattern.findall(text))))
