"""Growing file: the bytes of a log that may still grow, be cut off or be replaced, and its lines."""

from __future__ import annotations

import errno
import os
import zlib
from pathlib import Path
from typing import Final

from vlmft_core.durable import open_regular
from vlmft_core.errors import VlmftError
from vlmft_core.run_folder.events import MAX_LINE

CHUNK: Final = 1 << 18
"""Bytes of one read."""
_HEAD: Final = 256
_HOLE: Final = 1 << 30
"""Bytes that were never written, in a row, with which a file is no log: they would be read for minutes."""


class GrowingFile:
    """Reads a file in chunks, from where the last read ended. Nothing stays open in between.

    Args:
        path: the file; it may not exist yet.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.offset = 0
        """Bytes of the file read, or passed over, so far."""
        self.restarts = 0
        """Times that the file was found to be another one than before; `chunk` then begins at its start again."""
        self.checksum = 0
        """CRC-32 of these bytes, where none was passed over."""
        self.inode = -1
        """Of the file read last; -1 before the first chunk."""
        self._head = b""

    def chunk(self, most: int = 1 << 30, *, newest: bool = False) -> bytes:
        """What follows the last chunk, at most `CHUNK` bytes; empty at the end, or where the file is gone.

        Args:
            most: bytes that it shall have at most, if fewer.
            newest: where more than that has come, pass over all but the last of it.

        Raises:
            VlmftError: the path names something that is not a regular file, or may not be read, or has a huge hole.
        """
        try:
            descriptor = open_regular(self.path)
        except FileNotFoundError:
            return b""
        try:
            info = os.fstat(descriptor)
            # A new file can have the old inode and any size, so bytes are compared, too.
            head = read_at(self.path, descriptor, _HEAD, 0)
            same = info.st_ino == self.inode and info.st_size >= self.offset and head.startswith(self._head)
            if not same and self.inode >= 0:
                self.restarts += 1
                self.offset = self.checksum = 0
            self.inode, self._head = info.st_ino, head
            if newest:
                self.offset = max(self.offset, info.st_size - CHUNK)
            data = read_at(self.path, descriptor, min(CHUNK, most), self.offset)
            if data.startswith(b"\0"):
                _refuse_hole(self.path, descriptor, self.offset)
            self.offset += len(data)
            self.checksum = zlib.crc32(data, self.checksum)
            return data
        finally:
            os.close(descriptor)

    def skip(self, inode: int, offset: int, checksum: int, *, whole: bool = False) -> bool:
        """Go to where another reader of this file was, if all that it has read still stands there.

        That is looked at as bytes, a hundred times as fast as the records in them can be read.

        Args:
            inode: what the other had.
            offset: the same.
            checksum: the same.
            whole: whether nothing may have been added since.

        Raises:
            VlmftError: as `chunk`.
        """
        try:
            descriptor = open_regular(self.path)
        except FileNotFoundError:
            return False
        try:
            info = os.fstat(descriptor)
            if info.st_ino != inode or info.st_size < offset or (whole and info.st_size > offset):
                return False
            found = at = 0
            while at < offset and (data := read_at(self.path, descriptor, min(CHUNK, offset - at), at)):
                found = zlib.crc32(data, found)
                at += len(data)
            if at != offset or found != checksum:
                return False
            self.inode, self.offset, self.checksum = inode, offset, checksum
            self._head = read_at(self.path, descriptor, min(_HEAD, offset), 0)
            return True
        finally:
            os.close(descriptor)


class LineSplitter:
    """Complete lines out of chunks that are cut anywhere, in bounded memory. Only a newline ends a line.

    Args:
        partial: what another splitter had of a line, to go on from there.
        dropping: the same.
    """

    def __init__(self, partial: bytes = b"", *, dropping: bool = False) -> None:
        self.dropped = 0
        """Lines of more than `MAX_LINE` bytes, which nobody gets to see."""
        self._partial = partial
        self._dropping = dropping

    def feed(self, data: bytes) -> list[bytes]:
        """The lines that are complete with these bytes, without their ends."""
        *lines, self._partial = (self._partial + data).split(b"\n")
        if self._dropping and lines:
            self._dropping = False
            del lines[0]
        if any(len(line) > MAX_LINE for line in lines[:1]) or len(data) > MAX_LINE:
            kept = [line for line in lines if len(line) <= MAX_LINE]
            self.dropped += len(lines) - len(kept)
            lines = kept
        if len(self._partial) > MAX_LINE:
            self.dropped += not self._dropping
            self._dropping = True
        if self._dropping:
            self._partial = b""
        return lines

    @property
    def partial(self) -> bytes:
        """What stands after the last newline."""
        return self._partial

    @property
    def dropping(self) -> bool:
        """Whether what comes up to the next newline belongs to a line that is too long."""
        return self._dropping

    def end_line(self) -> None:
        """What stands after the last newline has been dealt with as a line: what comes is another."""
        self._partial = b""


def _refuse_hole(path: Path, descriptor: int, start: int) -> None:
    try:
        end = os.lseek(descriptor, start, os.SEEK_DATA)
    except OSError as error:  # no data behind it; or this file system does not tell holes
        end = os.fstat(descriptor).st_size if error.errno == errno.ENXIO else start
    if end - start >= _HOLE:
        raise VlmftError(
            f"{path} is no whole log: nothing was ever written to its bytes {start:,} to {end:,}",
            f"`head -c {start}` has what is before them" if start else "",
        )


def read_at(path: Path, descriptor: int, size: int, offset: int) -> bytes:
    """At most `size` bytes from `offset`.

    Raises:
        VlmftError: reading fails: a bad disk, a network drive that went away, a file of the kernel's that is none.
    """
    try:
        return os.pread(descriptor, size, offset)
    except OSError as error:
        raise VlmftError(f"{path} cannot be read: {error.strerror}") from None
