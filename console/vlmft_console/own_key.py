"""Own key: what this user alone knows, to tell later what was written by a program of theirs."""

from __future__ import annotations

import os
import stat
from contextlib import suppress
from pathlib import Path

import platformdirs

from vlmft_core.durable import delete

_BYTES = 32
_CLOSED = 0o077
"""Permissions of others, of which there must be none."""


def own_key() -> bytes:
    """The key, made where there is none; one that others can read, or that is torn, is replaced.

    Raises:
        OSError: it can neither be read nor written.
    """
    file = Path(platformdirs.user_state_dir("vlmft")) / "key"
    with suppress(FileNotFoundError):
        if key := _read(file):
            return key
        delete(file)
    file.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    draft = file.with_name(f".key.{os.getpid()}")
    delete(draft)
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    try:
        os.write(descriptor, os.urandom(_BYTES))
        with suppress(FileExistsError):  # another process was quicker: its key it is
            os.link(draft, file)
    finally:
        os.close(descriptor)
        delete(draft)
    if key := _read(file):
        return key
    raise PermissionError(f"{file} is none of this user's")


def _read(file: Path) -> bytes | None:
    """The key; None where what stands there cannot be one."""
    try:
        descriptor = os.open(file, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except FileNotFoundError:
        raise
    except OSError:  # a link, or closed to us
        return None
    try:
        info = os.fstat(descriptor)
        own = stat.S_ISREG(info.st_mode) and info.st_uid == os.geteuid() and not info.st_mode & _CLOSED
        key = os.read(descriptor, _BYTES + 1) if own else b""
    finally:
        os.close(descriptor)
    return key if len(key) == _BYTES else None
