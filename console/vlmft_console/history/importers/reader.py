"""Log reader: what every importer offers, and the one that follows a log that grows at its end."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Final, Protocol

from vlmft_console.history.importers.entries.contents import Contents
from vlmft_console.history.importers.entries.translate import Translator
from vlmft_console.history.importers.unpacked import Unpacked
from vlmft_core.run_folder.events import Record

BATCH: Final = 2000
"""`read` stops soon after it has this many records, so that a log of any size is read in bounded memory."""


class LogReader(Protocol):
    """One log of another program, as records of our event log."""

    format: str
    """`trainer_state`, `hf_stdout`, …: what the log was found to be."""
    label: str
    """A name for the run: the file's, and its folder's."""
    path: Path
    """The file that is read; inside a folder, the one chosen."""

    @property
    def rejected(self) -> int:
        """Entries that look like metrics and cannot be read."""

    @property
    def entries(self) -> int:
        """Entries with metrics that the log holds, in its own way of counting: lines, scalars, dicts."""

    @property
    def named_steps(self) -> bool:
        """Whether the log tells steps. Where it does not, steps count its training records."""

    @property
    def contents(self) -> Contents:
        """What was found in the log so far."""

    def judge_set(self, name: str) -> None:
        """As `Translator.judge_set`; called before anything is read."""

    def read(self) -> list[Record]:
        """What is new since the last call. Call it until it returns nothing: then there is nothing more for now.

        Raises:
            VlmftError: the file became something that is not a regular file, or may not be read.
        """


class Parser(Protocol):
    """Turns the bytes of one format into records, cut wherever they may be."""

    @property
    def rejected(self) -> int:
        """Entries that look like metrics and cannot be read."""

    @property
    def else_holds(self) -> str:
        """What there is beside metrics, in words: said of a log that has none. Empty where that is not known."""

    @property
    def entries(self) -> int:
        """Entries with metrics."""

    def feed(self, data: bytes) -> list[Record]:
        """The records that are complete with these bytes."""

    def rest(self) -> list[Record]:
        """What stands at the end and can be told only by the silence after it."""


class ParsedLog:
    """What every `LogReader` has whose bytes a `Parser` takes.

    Args:
        path: the log.
        format: its format's name.
        parser: makes a parser.
    """

    def __init__(self, path: Path, format: str, parser: Callable[[Translator], Parser]) -> None:
        self.path = path
        self.format = format
        self.label = label_of(path)
        self._translator = Translator(self.label)
        self._parser = parser(self._translator)

    @property
    def rejected(self) -> int:
        return self._parser.rejected

    @property
    def entries(self) -> int:
        return self._parser.entries

    @property
    def named_steps(self) -> bool:
        return self._translator.named_steps

    @property
    def contents(self) -> Contents:
        return self._translator.contents(self._parser.else_holds)

    def judge_set(self, name: str) -> None:
        self._translator.judge_set(name)


class StreamReader(ParsedLog):
    """A `LogReader` of a file that grows at its end. The parser is made anew for the file that replaced it."""

    def __init__(self, path: Path, format: str, parser: Callable[[Translator], Parser]) -> None:
        super().__init__(path, format, parser)
        self._file = Unpacked(path)
        self._make_parser = parser
        self._pending: list[Record] = [self._translator.begin()]
        self._lost = 0
        self._told = ""

    @property
    def rejected(self) -> int:
        return self._lost + self._parser.rejected

    def read(self) -> list[Record]:
        records, self._pending = self._pending, []
        while len(records) < BATCH:
            restarts = self._file.restarts
            data = self._file.chunk()
            if self._file.restarts != restarts:
                self._start_again(records)
            if not data:
                # At the end: what is unfinished may be finished by a read to come, so it waits for one quiet call.
                return records or self._parser.rest() or self._shortfall()
            records += self._parser.feed(data)
        return records

    def _shortfall(self) -> list[Record]:
        """What is wrong with the end of a compressed log, told once."""
        told, self._told = self._told, self._file.shortfall
        return [self._translator.note(self._told)] if self._told and self._told != told else []

    def _start_again(self, records: list[Record]) -> None:
        self._lost += self._parser.rejected
        self._parser = self._make_parser(self._translator)
        records += [self._translator.begin(), self._translator.note(REPLACED)]


REPLACED: Final = "the log was replaced or written anew, and is read again from its start"


def label_of(path: Path, folder: Path | None = None) -> str:
    """The file's path from `folder` on, or its name after its folder's: many logs share a file name."""
    parts = path.absolute().parts[-2:] if folder is None else (folder.absolute().name, *path.relative_to(folder).parts)
    return os.fsencode("/".join(parts)).decode("utf-8", "replace")  # a name need not be UTF-8
