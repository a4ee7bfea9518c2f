"""Follow one event log while it grows, and survive everything that can happen to a file."""

from __future__ import annotations

import contextlib
import os
import stat
from collections.abc import Iterable, Iterator
from pathlib import Path

from vlmft_core.errors import VlmftError
from vlmft_core.run_folder.events import MAX_LINE, Record, parse

_CHUNK = 1 << 18
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
        self.offset = 0
        """Bytes of the file read so far."""
        self._head = b""
        self._partial = b""
        self._skipping = False

    def read(self) -> list[Record]:
        """Every record completed since the last call; an empty list when there is none, or no file yet.

        Raises:
            VlmftError: as `batches`.
        """
        return [record for batch in self.batches() for record in batch]

    def batches(self) -> Iterator[list[Record]]:
        """The same piece by piece, so that a log of any size is read in bounded memory. None of them is empty.

        What an iteration that is given up early has not reached comes with the next one.

        Raises:
            VlmftError: the path names something that is not a regular file, or may not be read.
        """
        try:
            # O_NONBLOCK: opening a FIFO that nobody writes to would wait for ever
            descriptor = os.open(self.path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
        except FileNotFoundError:
            return
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
            while chunk := os.pread(descriptor, _CHUNK, self.offset):
                if len(self._head) < _HEAD:
                    self._head += chunk[: _HEAD - len(self._head)]
                self.offset += len(chunk)
                if records := self._take(chunk):
                    yield records
        finally:
            os.close(descriptor)

    @property
    def progress(self) -> float:
        """Share of the bytes there are that have been read, 0 to 1."""
        return _share((self,), (self.path,))

    def _replaced(self, descriptor: int, info: os.stat_result) -> bool:
        """Whether this is not the file read so far. A new file can have the old inode and any size: compare bytes."""
        if self._inode < 0:
            return False
        if info.st_ino != self._inode or info.st_size < self.offset:
            return True
        return os.pread(descriptor, len(self._head), 0) != self._head

    def _take(self, chunk: bytes) -> list[Record]:
        records: list[Record] = []
        *lines, self._partial = (self._partial + chunk).split(b"\n")
        for line in lines:
            if self._skipping:
                self._skipping = False
                continue
            try:
                records.append(parse(line))
            except ValueError:
                self.rejected += bool(line.strip())
        if len(self._partial) > MAX_LINE:
            self.rejected += not self._skipping
            self._skipping = True
        if self._skipping:
            self._partial = b""
        return records


def first_record(path: Path) -> Record | None:
    """The first record of a log; None where there is none yet, or none that can be read."""
    try:
        return next(Tail(path).batches(), [None])[0]
    except VlmftError:
        return None


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

    @property
    def restarts(self) -> int:
        """Times that a segment's file was found to be another one than before, and read again."""
        return sum(tail.restarts for tail in self._tails)

    @property
    def progress(self) -> float:
        """Share of the bytes there are that have been read, 0 to 1."""
        return _share(self._tails, self._logs.glob("events-*.jsonl"))

    def read(self) -> list[Record]:
        """Every record completed since the last call.

        Raises:
            VlmftError: as `Tail.batches`.
        """
        return [record for batch in self.batches() for record in batch]

    def batches(self) -> Iterator[list[Record]]:
        """The same piece by piece, as `Tail.batches`."""
        if self._tails:
            yield from self._tails[-1].batches()
        while _is_there(path := self._logs / f"events-{len(self._tails) + 1:04d}.jsonl"):
            self._tails.append(Tail(path))
            yield from self._tails[-1].batches()


def _is_there(path: Path) -> bool:
    try:
        return path.exists()
    except OSError as error:
        raise VlmftError(f"{path} cannot be read: {error.strerror}") from None


def _share(tails: Iterable[Tail], paths: Iterable[Path]) -> float:
    read, total = sum(tail.offset for tail in tails), 0
    for path in paths:
        with contextlib.suppress(OSError):  # it was deleted a moment ago
            total += path.stat().st_size
    return min(1.0, read / total) if total else 1.0
