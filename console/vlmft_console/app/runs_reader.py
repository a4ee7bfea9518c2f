"""Runs reader: reads several runs or logs in one thread, one after the other, and then what is added to each."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from textual.message import Message

from vlmft_console.app.crash import words_of
from vlmft_console.app.messages import Loading
from vlmft_console.charts import raster
from vlmft_console.history.handover import Handover, Packed
from vlmft_console.history.loading import ReadLog, load
from vlmft_console.history.opened import OpenedLog
from vlmft_console.history.state import RunState
from vlmft_console.history.trainings import Trainings
from vlmft_console.runs.folder import RunFolder
from vlmft_console.runs.status import RunStatus, status_of
from vlmft_core.run_folder.events import Record

LOOK_SECONDS: Final = 1.0
"""Between two looks at live runs."""
_OTHERS: Final = 5
"""Of so many looks one is at runs that have ended, too, and at other programs' logs: they may go on."""


@dataclass
class RunRead(Message):
    """A run has been read to its present end. Its state belongs to who gets this."""

    number: int
    run: ReadLog
    status: RunStatus | None
    """None for another program's log."""


@dataclass
class RunUnread(Message):
    """A run cannot be read."""

    number: int
    reason: str


@dataclass
class RunGrew(Message):
    """What a run has written since, and the state that it is in by now."""

    number: int
    records: list[Record]
    status: RunStatus | None
    another: bool
    """Whether another training has begun in its log: the records are all of that one so far."""


class _Followed:
    """A run that has been read."""

    def __init__(self, log: OpenedLog, state: RunState) -> None:
        self.log = log
        self.pulse = state.pulse
        self._trainings = Trainings(under_way=state)
        self.status: RunStatus | None = None

    def look(self) -> bool:
        """Work the state out anew; whether it is another one."""
        before, folder = self.status, self.log.folder
        self.status = None if folder is None else status_of(RunFolder(folder.path), self.pulse)
        return self.status != before

    def read(self) -> tuple[list[Record], bool]:
        """What was added since, and whether it is of another training; then all that came before is given up."""
        records: list[Record] = []
        another = False
        for part in self._trainings.of(self.log.reader.batches()):
            if part.begins:
                records, another = [], True
            records += part.records
        self.pulse = self.pulse.after(records)
        return records, another


class RunsReader:
    """Follows runs, numbered in the order they were added, from 0.

    Args:
        post: takes the messages, from another thread.
    """

    def __init__(self, post: Callable[[Message], object]) -> None:
        self._post = post
        self._wanted: list[Path] = []
        self._followed: dict[int, _Followed] = {}
        self._awake = threading.Event()
        self._left = False
        self.paused = False
        """Whether nobody looks: then nothing is read, and read later."""
        self._thread = threading.Thread(target=self._run, daemon=True, name="runs reader")

    def start(self, targets: Sequence[Path]) -> None:
        """Begin with these."""
        self._wanted += targets
        self._thread.start()

    def add(self, target: Path) -> None:
        """Read one more."""
        self._wanted.append(target)
        self._awake.set()

    def leave(self, number: int) -> None:
        """Follow this one no longer."""
        self._followed.pop(number, None)

    def resume(self) -> None:
        """Somebody looks again."""
        self.paused = False
        self._awake.set()

    def stop(self) -> None:
        """Read no more. Does not wait for a read that hangs."""
        self._left = True
        self._awake.set()

    def _run(self) -> None:
        raster.prepare()
        number, looks = 0, 0
        while not self._left:
            while number < len(self._wanted) and not self._left:
                self._open(number, self._wanted[number])
                number += 1
                self._look(others=False)
            self._awake.wait(None if self.paused else LOOK_SECONDS)
            self._awake.clear()
            if not self.paused and not self._left:
                looks += 1
                self._look(others=looks % _OTHERS == 0)

    def _open(self, number: int, target: Path) -> None:
        handover = Handover()
        try:
            for each in load(target, glimpses=False, handover=handover):
                if self._left:
                    return
                if not isinstance(each, ReadLog):
                    self._post(Loading(each))
                    continue
                followed = _Followed(each.log, each.state)
                followed.look()
                self._followed[number] = followed
                # its long columns lie in a file from here on, so that eight runs need no more memory than one
                state = Packed(handover, each.state).value()
                self._post(RunRead(number, ReadLog(each.log, state, each.several), followed.status))
        except Exception as error:  # whatever it is: the others are read all the same
            self._post(RunUnread(number, words_of(error)))

    def _look(self, *, others: bool) -> None:
        for number, run in list(self._followed.items()):
            if not others and not (run.status is not None and run.status.live):
                continue
            try:
                changed = run.look()  # before the read: what came until the end is read below
                records, another = run.read()
            except Exception as error:
                self.leave(number)
                self._post(RunUnread(number, words_of(error)))
                continue
            if records or changed:
                self._post(RunGrew(number, records, run.status, another))
