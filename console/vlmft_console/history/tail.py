"""Follow one event log while it grows, and survive everything that can happen to a file."""

from __future__ import annotations

import os
import stat
from pathlib import Path

from vlmft_trainer.errors import VlmftError
from vlmft_trainer.events import MAX_LINE, Record, parse

_CHUNK = 1 << 20
_HEAD = 256


class Tail:
    """Reads what was added to a log since the last look.

    Works on bytes and splits on newline alone. A torn last line is waited for; a line that is no record is skipped
    and counted; a line over `MAX_LINE` bytes is skipped without being held in memory. A file that was replaced or
    rewritten is read again from its start, which `restarts` tells.

    Args:
        path: the log; it may not exist yet.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.rejected = 0
        """Lines skipped because they are no records."""
        self.restarts = 0
        """Times that the file was found to be another one than before."""
        self._forget()

    def _forget(self) -> None:
        self._inode = -1
        self._offset = 0
        self._head = b""
        self._partial = b""
        self._skipping = False

    def read(self) -> list[Record]:
        """Every record completed since the last call; an empty list when there is none, or no file yet.

        Raises:
            VlmftError: the path names something that is not a regular file, or may not be read.
        """
        try:
            # O_NONBLOCK: opening a FIFO that nobody writes to would wait for ever
            descriptor = os.open(self.path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
        except FileNotFoundError:
            return []
        except OSError as error:
            raise VlmftError(f"{self.path} cannot be read: {error.strerror}") from None
        try:
            info = os.fstat(descriptor)
            if not stat.S_ISREG(info.st_mode):
                raise VlmftError(f"{self.path} is not a regular file")
            if self._replaced(descriptor, info):
                self.restarts += 1
                self._forget()
            self._inode = info.st_ino
            records: list[Record] = []
            while chunk := os.pread(descriptor, _CHUNK, self._offset):
                if len(self._head) < _HEAD:
                    self._head += chunk[: _HEAD - len(self._head)]
                self._offset += len(chunk)
                self._take(chunk, records)
            return records
        finally:
            os.close(descriptor)

    def _replaced(self, descriptor: int, info: os.stat_result) -> bool:
        """Whether this is not the file read so far. A new file can have the old inode and any size: compare bytes."""
        if self._inode < 0:
            return False
        if info.st_ino != self._inode or info.st_size < self._offset:
            return True
        return os.pread(descriptor, len(self._head), 0) != self._head

    def _take(self, chunk: bytes, records: list[Record]) -> None:
        *lines, self._partial = (self._partial + chunk).split(b"\n")
        for line in lines:
            if self._skipping:
                self._skipping = False
                continue
            if not line.strip():
                continue
            try:
                records.append(parse(line))
            except ValueError:
                self.rejected += 1
        if len(self._partial) > MAX_LINE:
            self.rejected += not self._skipping
            self._skipping = True
        if self._skipping:
            self._partial = b""


class RunTail:
    """Follows all segments of one run, in order.

    Args:
        logs: the run's `logs` folder.
    """

    def __init__(self, logs: Path) -> None:
        self._logs = logs
        self._tails: list[Tail] = []

    @property
    def rejected(self) -> int:
        """Lines skipped because they are no records, over all segments."""
        return sum(tail.rejected for tail in self._tails)

    def read(self) -> list[Record]:
        """Every record completed since the last call.

        Raises:
            VlmftError: as `Tail.read`.
        """
        records = self._tails[-1].read() if self._tails else []
        while (path := self._logs / f"events-{len(self._tails) + 1:04d}.jsonl").exists():
            self._tails.append(Tail(path))
            records += self._tails[-1].read()
        return records
