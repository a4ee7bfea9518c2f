"""Locks of a run folder: one is held by its supervisor, the other shared by its living ranks."""

from __future__ import annotations

import errno
import fcntl
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from vlmft_console.errors import RunFolderError
from vlmft_core.durable import open_own

_RETRY_SECONDS = 1.0
_CHANGE_SECONDS = 10.0
"""How long others may take over a small file."""


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


@contextmanager
def one_at_a_time(folder: Path) -> Iterator[None]:
    """Keep others out of a folder who read a small file of it, change it and write it back; on a file system that knows
    no locks of folders nobody is kept out.

    Raises:
        RunFolderError: somebody else does not come to an end with it.
        OSError: the folder cannot be opened.
    """
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        deadline = time.monotonic() + _CHANGE_SECONDS
        while True:
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                if time.monotonic() > deadline:
                    raise RunFolderError(f"{folder}: somebody else is changing it", "try it again") from None
                time.sleep(0.02)
            except OSError:
                break
        yield
    finally:
        os.close(descriptor)


def held(path: Path) -> bool:
    """Whether any process holds the lock, in either mode. A file that does not exist is not held, and none is where the
    file system knows no locks.

    Raises:
        PermissionError: it may not even be read.
    """
    try:
        descriptor = _open(path)
    except PermissionError:
        raise
    except OSError:
        return False
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    except OSError:
        return False
    finally:
        os.close(descriptor)
    return False


def stays_held(path: Path) -> bool:
    """Whether the lock is held and not just about to be given back.

    Raises:
        PermissionError: as `held`.
    """
    deadline = time.monotonic() + _RETRY_SECONDS
    while held(path):
        if time.monotonic() > deadline:
            return True
        time.sleep(0.02)
    return False


def _open(path: Path) -> int:
    """A descriptor of the file as it is; network file systems want one for writing, others may allow reading alone."""
    flags = os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK
    try:
        return os.open(path, os.O_RDWR | flags)
    except OSError as error:
        if error.errno not in (errno.EACCES, errno.EPERM, errno.EROFS):
            raise
        return os.open(path, os.O_RDONLY | flags)
