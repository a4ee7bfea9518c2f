"""Locks of a run folder: one is held by its supervisor, the other shared by its living ranks."""

from __future__ import annotations

import fcntl
import os
import time
from pathlib import Path

from vlmft_core.durable import open_own

_RETRY_SECONDS = 1.0


def acquire(path: Path) -> int | None:
    """Take the lock for as long as this process lives.

    A reader that just looks holds a lock for an instant, so a failure is tried again for a second.

    Returns:
        The descriptor to keep open, or None when somebody else holds the lock.

    Raises:
        OSError: the file cannot be opened.
    """
    descriptor = open_own(path, os.O_RDWR)
    deadline = time.monotonic() + _RETRY_SECONDS
    while True:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return descriptor
        except BlockingIOError:
            if time.monotonic() > deadline:
                os.close(descriptor)
                return None
            time.sleep(0.02)


def held(path: Path) -> bool:
    """Whether any process holds the lock, in either mode. A file that does not exist is not held."""
    try:
        descriptor = os.open(path, os.O_RDWR | os.O_CLOEXEC | os.O_NOFOLLOW)
    except OSError:
        return False
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(descriptor)
    return False
