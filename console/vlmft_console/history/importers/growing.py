"""The bytes of a file that may still grow, be cut off or be replaced."""

from __future__ import annotations

import os
import stat
from pathlib import Path
from typing import Final

from vlmft_core.errors import VlmftError

CHUNK: Final = 1 << 20
"""Bytes of one read."""
_HEAD: Final = 256


class GrowingFile:
    """Reads a file in chunks, from where the last read ended. Nothing stays open in between.

    Args:
        path: the file.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.restarts = 0
        """Times that the file was found to be another one than before; `chunk` then begins at its start again."""
        self._offset = 0
        self._inode = -1
        self._head = b""

    def chunk(self) -> bytes:
        """What follows the last chunk, at most `CHUNK` bytes; empty at the end, or where the file is gone.

        Raises:
            VlmftError: the path names something that is not a regular file, or may not be read.
        """
        try:
            descriptor = open_regular(self.path)
        except FileNotFoundError:
            return b""
        try:
            info = os.fstat(descriptor)
            if self._replaced(descriptor, info):
                self.restarts += 1
                self._offset, self._head = 0, b""
            self._inode = info.st_ino
            data = read_at(self.path, descriptor, CHUNK, self._offset)
            if len(self._head) < _HEAD:
                self._head += data[: _HEAD - len(self._head)]
            self._offset += len(data)
            return data
        finally:
            os.close(descriptor)

    def _replaced(self, descriptor: int, info: os.stat_result) -> bool:
        """As `history.tail`: a new file can have the old inode and any size, so bytes are compared."""
        if self._inode < 0:
            return False
        if info.st_ino != self._inode or info.st_size < self._offset:
            return True
        return read_at(self.path, descriptor, len(self._head), 0) != self._head


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


def read_at(path: Path, descriptor: int, size: int, offset: int) -> bytes:
    """At most `size` bytes from `offset`.

    Raises:
        VlmftError: reading fails: a bad disk, a network drive that went away, a file of the kernel's that is none.
    """
    try:
        return os.pread(descriptor, size, offset)
    except OSError as error:
        raise VlmftError(f"{path} cannot be read: {error.strerror}") from None
