"""Durable files: there whole or not at all, also after a power cut; and the small JSON objects kept in them.

What stands in their place may be anything: nothing here waits for a FIFO, or writes or deletes through a link.
"""

from __future__ import annotations

import errno
import json
import math
import os
import shutil
import stat
import tempfile
from pathlib import Path
from typing import Any, Final

from vlmft_core.errors import VlmftError

_LARGEST_JSON: Final = 1 << 20


def write_whole(path: Path, content: str | bytes, *, private: bool = True) -> None:
    """Write a file: temporary file, fsync, rename, fsync of its folder.

    Args:
        content: what it shall hold; text as UTF-8.
        private: for its owner alone; else as the umask has it.

    Raises:
        OSError: it cannot be written; what was there before is still there.
    """
    # A path that is not UTF-8 is text with half characters in it, and written as the bytes that it is.
    data = content if isinstance(content, bytes) else content.encode("utf-8", "surrogateescape")
    try:
        handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    except OSError as error:
        error.filename = str(path)  # nobody knows the name of what was to take its place
        raise
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(data)
            file.flush()
            os.fchmod(file.fileno(), 0o600 if private else 0o666 & ~_umask())
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
        with os.fdopen(open_regular(path), "rb") as file:
            value = json.loads(file.read(_LARGEST_JSON))
    except (OSError, ValueError, RecursionError, VlmftError):
        return None
    return value if isinstance(value, dict) else None


def open_regular(path: Path) -> int:
    """A descriptor of a regular file, for reading.

    Raises:
        FileNotFoundError: there is none.
        VlmftError: it is a folder, a FIFO, a device, or may not be read.
    """
    try:
        # O_NONBLOCK: opening a FIFO that nobody writes to would wait for ever
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    except FileNotFoundError:
        raise
    except OSError as error:
        raise VlmftError(f"{path} cannot be read: {error.strerror}") from None
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise VlmftError(f"{path} is not a regular file")
    return descriptor


def open_own(path: Path, flags: int) -> int:
    """A descriptor of a regular file, for writing; made, for its owner alone, where there is none.

    Args:
        flags: `os.O_WRONLY | os.O_APPEND`, say.

    Raises:
        OSError: it cannot be opened, or what stands there is a link, a folder, a FIFO or a device.
    """
    descriptor = os.open(path, flags | os.O_CREAT | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC, 0o600)
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise OSError(errno.EINVAL, "not a regular file", str(path))
    return descriptor


def add_lines(path: Path, lines: str, most: float = math.inf) -> bool:
    """Add lines to a file, made where there is none. A line that was torn when its writer was killed stays one line.

    Args:
        lines: each ends with a newline.
        most: bytes that the file may have.

    Returns:
        False where it would have more; nothing is added then.

    Raises:
        OSError: as `open_own`, or there is no room.
    """
    data = lines.encode()
    with os.fdopen(open_own(path, os.O_RDWR | os.O_APPEND), "r+b", buffering=0) as file:
        size = os.fstat(file.fileno()).st_size
        if size and os.pread(file.fileno(), 1, size - 1) != b"\n":
            data = b"\n" + data
        if size + len(data) > most:
            return False
        left = memoryview(data)
        while left:
            left = left[file.write(left) :]
    return True


def delete(path: Path) -> None:
    """Delete a file, a folder with everything in it, or a link but not what it leads to.

    Raises:
        OSError: it cannot be deleted; nothing being there is no error.
    """
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


def _umask() -> int:
    """The umask of this process; `os.umask` would change it meanwhile for its other threads."""
    status = Path("/proc/self/status").read_text(errors="replace")
    return next((int(line.split()[1], 8) for line in status.splitlines() if line.startswith("Umask:")), 0o077)


def sync_folder(folder: Path) -> None:
    """Bring a folder's list of names to the disk."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def sync_files(folder: Path) -> None:
    """Bring every file of a folder, and its list of names, to the disk; not what lies in folders in it."""
    for path in folder.iterdir():
        if path.is_file():
            with path.open("rb") as file:
                os.fsync(file.fileno())
    sync_folder(folder)
