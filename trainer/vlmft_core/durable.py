"""Durable files: there whole or not at all, also after a power cut; and the small JSON objects kept in them."""

from __future__ import annotations

import json
import os
import tempfile
from pathlib import Path
from typing import Any, Final

_LARGEST_JSON: Final = 1 << 20


def write_whole(path: Path, text: str, *, mode: int = 0o600) -> None:
    """Write a file: temporary file, fsync, rename, fsync of its folder.

    Args:
        mode: the file's permissions.

    Raises:
        OSError: it cannot be written; what was there before is still there.
    """
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            file.write(text)
            file.flush()
            os.fchmod(file.fileno(), mode)
            os.fsync(file.fileno())
        Path(name).replace(path)
    except OSError:
        Path(name).unlink(missing_ok=True)
        raise
    sync_folder(path.parent)


def as_json(value: object) -> str:
    """A file's text that says `value`."""
    return json.dumps(value, indent=2) + "\n"


def read_json(path: Path) -> dict[str, Any] | None:
    """A JSON object of at most 1 MiB, or None when the file is missing, torn or something else."""
    try:
        with path.open("rb") as file:
            value = json.loads(file.read(_LARGEST_JSON))
    except (OSError, ValueError, RecursionError):
        return None
    return value if isinstance(value, dict) else None


def sync_folder(folder: Path) -> None:
    """Bring a folder's list of names to the disk."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
