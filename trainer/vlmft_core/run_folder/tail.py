"""Event log tail: the records added to a log, or to all segments of a run, since the last look."""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Iterator
from pathlib import Path

from vlmft_core.errors import VlmftError
from vlmft_core.run_folder.events import Record, parse
from vlmft_core.run_folder.growing import GrowingFile, LineSplitter
from vlmft_core.run_folder.layout import segment_file, segment_files


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

    def batches(self) -> Iterator[list[Record]]:
        """The same piece by piece, so that a log of any size is read in bounded memory. None of them is empty.

        What an iteration that is given up early has not reached comes with the next one.

        Raises:
            VlmftError: the path names something that is not a regular file, or may not be read.
        """
        while True:
            chunk = self._file.chunk()
            if self._file.restarts != self.restarts:
                self.restarts = self._file.restarts
                self._rejected, self._lines = self.rejected, LineSplitter()
            if not chunk:
                return
            if records := self._records(self._lines.feed(chunk)):
                yield records

    def _records(self, lines: list[bytes]) -> list[Record]:
        records: list[Record] = []
        for line in lines:
            try:
                records.append(parse(line))
            except ValueError:
                self._rejected += bool(line.strip())
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
        return _share(self._tails, segment_files(self._logs))

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
        while _is_there(path := segment_file(self._logs, len(self._tails) + 1)):
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
