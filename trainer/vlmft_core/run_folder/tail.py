"""Event log tail: the records added to a log, or to all segments of a run, since the last look."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from vlmft_core.durable import open_regular
from vlmft_core.errors import VlmftError
from vlmft_core.run_folder.batch import Batch, parse_all
from vlmft_core.run_folder.events import Record, parse
from vlmft_core.run_folder.growing import GrowingFile, LineSplitter, read_at
from vlmft_core.run_folder.layout import segment_file, segment_files

_BATCH = 1 << 17
"""Bytes of a log that are read at once: their records stay in a processor's own memory until they are looked at."""


@dataclass(frozen=True)
class Mark:
    """How far an event log has been read, and by what it is known again."""

    inode: int
    offset: int
    """Bytes read."""
    checksum: int
    """Their CRC-32."""
    partial: int
    """How many of them, at the end, no newline has ended yet."""
    dropping: bool
    """Whether that is a line too long to be kept."""
    rejected: int
    """Lines skipped."""


class Tail:
    """Follows one event log.

    A torn last line is waited for; a line that is no record, or too long for one, is skipped and counted. A file that
    was replaced or rewritten is read again from its start, which `restarts` tells.

    Args:
        path: the log; it may not exist yet.
    """

    def __init__(self, path: Path) -> None:
        self._file = GrowingFile(path)
        self._lines = LineSplitter()
        self._rejected = 0
        self.restarts = 0
        """Times that the file was found to be another one than before."""

    @property
    def rejected(self) -> int:
        """Lines skipped because they are no records."""
        return self._rejected + self._lines.dropped

    @property
    def offset(self) -> int:
        """Bytes of the file read so far."""
        return self._file.offset

    @property
    def progress(self) -> float:
        """Share of the bytes there are that have been read, 0 to 1."""
        return _share((self,), (self._file.path,))

    def read(self) -> list[Record]:
        """Every record completed since the last call; an empty list when there is none, or no file yet.

        Raises:
            VlmftError: as `batches`.
        """
        return [record for batch in self.batches() for record in batch]

    def batches(self) -> Iterator[Batch]:
        """The same piece by piece, so that a log of any size is read in bounded memory. None of them is empty.

        What an iteration that is given up early has not reached comes with the next one.

        Raises:
            VlmftError: the path names something that is not a regular file, or may not be read.
        """
        while True:
            chunk = self._file.chunk(_BATCH)
            if self._file.restarts != self.restarts:
                self.restarts = self._file.restarts
                self._rejected, self._lines = self.rejected, LineSplitter()
            if not chunk:
                return
            if records := self._records(self._lines.feed(chunk)):
                yield records

    @property
    def mark(self) -> Mark:
        """How far it has come."""
        file, lines = self._file, self._lines
        return Mark(file.inode, file.offset, file.checksum, len(lines.partial), lines.dropping, self.rejected)

    def go_to(self, mark: Mark, *, whole: bool = False) -> bool:
        """Go on from where another reader of this log was, if what that one has read is what stands there.

        Args:
            mark: that one's.
            whole: whether nothing may have been added since.

        Raises:
            VlmftError: as `batches`.
        """
        if not self._file.skip(mark.inode, mark.offset, mark.checksum, whole=whole):
            return False
        self._lines = LineSplitter(self._before(mark), dropping=mark.dropping)
        self._rejected = mark.rejected
        return True

    def _before(self, mark: Mark) -> bytes:
        """The bytes of the line that had not ended."""
        if not mark.partial:
            return b""
        descriptor = open_regular(self._file.path)
        try:
            return read_at(self._file.path, descriptor, mark.partial, mark.offset - mark.partial)
        finally:
            os.close(descriptor)

    def _records(self, lines: list[bytes]) -> Batch:
        if (batch := parse_all(lines)) is not None:
            return batch
        records = Batch()
        for line in lines:
            try:
                records.append(parse(line))
            except ValueError:
                self._rejected += bool(line.strip())
        return records


def first_record(path: Path) -> Record | None:
    """The first record of a log; None where there is none yet, or none that can be read."""
    lines = LineSplitter()
    with contextlib.suppress(VlmftError):
        file = GrowingFile(path)
        while chunk := file.chunk():
            for line in lines.feed(chunk):
                with contextlib.suppress(ValueError):
                    return parse(line)
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
    def files(self) -> list[Path]:
        """The segments there are now."""
        return segment_files(self._logs)

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
        return _share(self._tails, self.files)

    def read(self) -> list[Record]:
        """Every record completed since the last call.

        Raises:
            VlmftError: as `Tail.batches`.
        """
        return [record for batch in self.batches() for record in batch]

    def batches(self) -> Iterator[Batch]:
        """The same piece by piece, as `Tail.batches`."""
        if self._tails:
            yield from self._tails[-1].batches()
        while _is_there(path := segment_file(self._logs, len(self._tails) + 1)):
            self._tails.append(Tail(path))
            yield from self._tails[-1].batches()

    @property
    def marks(self) -> list[Mark]:
        """How far it has come in each segment."""
        return [tail.mark for tail in self._tails]

    def go_to(self, marks: Sequence[Mark]) -> bool:
        """Go on from where another reader of this run was, as `Tail.go_to`.

        Raises:
            VlmftError: as `Tail.batches`.
        """
        tails = [Tail(segment_file(self._logs, number)) for number in range(1, len(marks) + 1)]
        if not all(tail.go_to(mark, whole=tail is not tails[-1]) for tail, mark in zip(tails, marks, strict=True)):
            return False
        self._tails = tails
        return True


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
