"""Writing the files that a person asked for."""

from __future__ import annotations

from pathlib import Path

from vlmft_core.durable import write_whole
from vlmft_core.errors import VlmftError


def write_file(path: Path, text: str, *, force: bool) -> None:
    """Write the whole file or nothing.

    Raises:
        VlmftError: the file is there and `force` is not given, or it cannot be written.
    """
    if path.exists() and not path.is_file():
        raise VlmftError(f"{path}: not a regular file", "name another file")
    if path.exists() and not force:
        raise VlmftError(f"{path}: exists already", "pass --force to replace it")
    try:
        write_whole(path, text, mode=0o644)
    except OSError as error:
        raise VlmftError(f"{path}: cannot be written: {error.strerror}") from None
