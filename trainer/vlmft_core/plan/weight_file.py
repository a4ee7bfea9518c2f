"""Weight file: the header of a safetensors file, and whether the file holds what its header says. Reads no weights."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable
from functools import lru_cache
from pathlib import Path
from typing import Any

from vlmft_core.errors import ModelError
from vlmft_core.figures import counted

Shapes = dict[str, tuple[int, ...]]
"""Shapes of tensors by their names."""

_LENGTH = 8
"""Bytes of the header's length, which comes first."""
_LONGEST = 100_000_000
"""Bytes of a header at most, as safetensors has it."""
_BITS = {"BOOL": 8, "U8": 8, "I8": 8, "I16": 16, "U16": 16, "F16": 16, "BF16": 16}
_BITS |= {"I32": 32, "U32": 32, "F32": 32, "I64": 64, "U64": 64, "F64": 64}
_FLOATS = ("F16", "BF16", "F32", "F64")
LFS_POINTER = b"version https://git-lfs"
"""How the file begins that stands for another in a clone without Git LFS."""
_AGAIN = "copy or download it again"


def read_shapes(path: Path) -> Shapes:
    """Names and shapes of a safetensors file's tensors.

    Raises:
        ModelError: the file is missing, empty, a Git LFS pointer or no safetensors, or its size is not the one that its
            header says.
    """
    try:
        if not path.is_file():
            raise ModelError(f"{path}: no such file", _AGAIN)
        status = path.stat()
        return _read(path, status.st_size, status.st_mtime_ns)[0]
    except OSError as error:
        raise ModelError(f"{path}: {error.strerror}", _AGAIN) from None


def check_numbers(path: Path) -> None:
    """Refuse a safetensors file with numbers that are not what they count for, as those of quantized weights.

    Raises:
        ModelError: as `read_shapes`, or some tensors are not in one of the usual floating point formats.
    """
    read_shapes(path)
    status = path.stat()
    kinds = _read(path, status.st_size, status.st_mtime_ns)[1]
    if odd := {name: kind for name, kind in kinds.items() if kind not in _FLOATS}:
        raise ModelError(
            f"{path}: {len(odd)} of {counted(len(kinds), 'tensor')} in {', '.join(sorted(set(odd.values())))}:"
            f" {first_names(odd)}",
            "weights must be bf16, fp16 or fp32",
        )


def check_not_a_stub(path: Path) -> None:
    """Refuse a file that only stands for its content.

    Raises:
        ModelError: it cannot be read, is empty, or is a Git LFS pointer.
    """
    try:
        with path.open("rb") as file:
            _check_beginning(path, file.read(len(LFS_POINTER)))
    except OSError as error:
        raise ModelError(f"{path}: {error.strerror}", _AGAIN) from None


def first_names(names: Iterable[str]) -> str:
    """The first three of some names, for a message."""
    ordered = sorted(names)
    return ", ".join(ordered[:3]) + (", …" if len(ordered) > 3 else "")


@lru_cache(maxsize=256)
def _read(path: Path, size: int, _modified: int) -> tuple[Shapes, dict[str, str]]:
    with path.open("rb") as file:
        beginning = file.read(len(LFS_POINTER))
        _check_beginning(path, beginning)
        length = int.from_bytes(beginning[:_LENGTH], "little")
        if length > _LONGEST:
            raise ModelError(f"{path}: is not a safetensors file, or its beginning is damaged", _AGAIN)
        if _LENGTH + length > size:
            raise ModelError(
                f"{path}: is cut short: its header alone takes {_LENGTH + length:,} bytes of {size:,}", _AGAIN
            )
        file.seek(_LENGTH)
        header = file.read(length)
    shapes, kinds, ends = _parse(path, header)
    whole = _LENGTH + length + ends
    if size != whole:
        what = "is cut short" if size < whole else "is longer than it should be"
        raise ModelError(f"{path}: {what}: {size:,} bytes, its header says {whole:,}", _AGAIN)
    return shapes, kinds


def _check_beginning(path: Path, beginning: bytes) -> None:
    if not beginning:
        raise ModelError(f"{path}: is empty (0 bytes)", _AGAIN)
    if beginning.startswith(LFS_POINTER):
        raise ModelError(f"{path}: is a Git LFS pointer, not the file itself", "run `git lfs pull` in its folder")


def _parse(path: Path, header: bytes) -> tuple[Shapes, dict[str, str], int]:
    """Shapes and number formats by name, and the bytes that all tensors take together."""
    shapes: Shapes = {}
    kinds: dict[str, str] = {}
    places = []
    try:
        entries: dict[str, Any] = json.loads(header)
        entries.pop("__metadata__", None)
        for name, entry in entries.items():
            shape = tuple(entry["shape"])
            start, end = entry["data_offsets"]
            bits = _BITS.get(entry["dtype"])
            if bits is not None and bits * math.prod(shape) != 8 * (end - start):
                raise ValueError(name)
            shapes[name], kinds[name] = shape, str(entry["dtype"])
            places.append((start, end))
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        raise ModelError(f"{path}: its header is damaged", _AGAIN) from None
    at = 0
    for start, end in sorted(places):
        if start != at or end < start:
            raise ModelError(f"{path}: its header is damaged: tensors overlap or leave gaps", _AGAIN)
        at = end
    return shapes, kinds, at
