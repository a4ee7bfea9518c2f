"""Live reader: follows one log, and the state of its run, in a thread of its own, and posts what is new."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from textual.message import Message

from vlmft_console.app.crash import words_of
from vlmft_console.app.messages import Loading, Unreadable
from vlmft_console.charts import raster
from vlmft_console.history.loading import ReadAhead, ReadLog, load
from vlmft_console.history.opened import OpenedLog
from vlmft_console.history.pulse import Pulse
from vlmft_console.history.state import RunState
from vlmft_console.history.text_tail import TextTail
from vlmft_console.runs.folder import RunFolder
from vlmft_console.runs.status import RunStatus, status_of
from vlmft_core.health import STOP
from vlmft_core.run_folder.events import HEALTH, RUN_END, Record
from vlmft_core.run_folder.layout import RunLayout
from vlmft_core.run_folder.stop import StopRequest

POLL_SECONDS = 0.5
"""Between two looks at a log that grows, …"""
IDLE_SECONDS = 2.0
"""… and at one that does not."""
GROWING_SECONDS = 60.0
"""Another program's log counts as growing for this long after something was added."""
STATUS_SECONDS = 1.0
"""How often the state of a run is worked out anew."""


@dataclass
class Batch:
    """What is new since the last look."""

    records: list[Record] = field(default_factory=list)
    lines: list[str] = field(default_factory=list)
    """Lines added to the plain log."""
    pending: str = ""
    """The last line of the plain log, while its end has not been written."""
    status: RunStatus | None = None
    """The state of the run; None for another program's log."""
    asked: StopRequest | None = None
    growing: bool = False
    pressing: bool = False
    """Whether it is to be shown at once: another state of the run, a request to stop it, its end, or a stop finding."""


@dataclass
class LogOpened(Message):
    """The log was read to its end. From now on `state` belongs to who gets this."""

    log: OpenedLog
    state: RunState
    one_of_several: bool
    """Whether the log holds other trainings before this one."""


@dataclass
class News(Message):
    """There is something new: `LiveReader.take` gives it."""

    def can_replace(self, message: Message) -> bool:
        return isinstance(message, News)


class LiveReader:
    """Follows a run or any log.

    Args:
        target: a run folder or a log.
        post: takes the messages, from another thread.
        ahead: reads it already.
    """

    def __init__(self, target: Path, post: Callable[[Message], object], ahead: ReadAhead | None = None) -> None:
        self._results = load(target) if ahead is None else ahead.results()
        self._post = post
        self._lock = threading.Lock()
        self._batch = Batch()
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True, name="live reader")
        self._tail: TextTail | None = None
        self._grown = -GROWING_SECONDS
        self._judged = -STATUS_SECONDS
        self._opened = False
        self._pulse = Pulse()
        self.wants_lines = False
        """Whether the plain log is looked at; it is not read otherwise."""

    def start(self) -> None:
        """Begin to read."""
        self._thread.start()

    def stop(self) -> None:
        """Read no more. Does not wait for a read that hangs."""
        self._stop.set()

    @property
    def pressing(self) -> bool:
        """Whether what `take` would give is to be shown at once."""
        return self._batch.pressing

    def take(self) -> Batch:
        """What is new since the last call, in order."""
        with self._lock:
            taken = self._batch
            self._batch = Batch(pending=taken.pending, status=taken.status, asked=taken.asked, growing=taken.growing)
        return taken

    def _run(self) -> None:
        try:
            self._follow()
        except Exception as error:  # whatever it is: a thread that ends unseen looks like a log without news
            self._post(Unreadable(words_of(error)))

    def _follow(self) -> None:
        read = self._read()
        self._pulse = read.state.pulse
        self._look(read.log)
        self._opened = True
        self._post(LogOpened(read.log, read.state, bool(read.several)))
        while not self._stop.wait(self._pause()):
            self._look(read.log)

    def _read(self) -> ReadLog:
        raster.prepare()
        for each in self._results:
            if isinstance(each, ReadLog):
                return each
            self._post(Loading(each))
        raise AssertionError("what reads a log ends with the log")

    def _pause(self) -> float:
        status = self._batch.status
        active = status.live if status is not None else self._batch.growing
        return POLL_SECONDS if active or self.wants_lines else IDLE_SECONDS

    def _look(self, log: OpenedLog) -> None:
        now = time.monotonic()
        status, asked = self._batch.status, self._batch.asked
        if log.folder is not None and (now - self._judged >= STATUS_SECONDS or log.folder.exit_file.exists()):
            self._judged = now
            # Before the read: what came until the end is read below.
            status = status_of(RunFolder(log.folder.path), self._pulse)
            asked = StopRequest.read(log.folder)
        records = log.reader.read()
        self._pulse = self._pulse.after(records)
        if records:
            self._grown = now
        lines, pending = self._plain_lines(log)
        growing = now - self._grown < GROWING_SECONDS
        with self._lock:
            batch = self._batch
            changed = (batch.status, batch.asked, batch.growing, batch.pending) != (status, asked, growing, pending)
            batch.pressing |= (
                _state(batch.status) != _state(status) or batch.asked != asked or any(map(_rings, records))
            )
            batch.records += records
            batch.lines += lines
            batch.status, batch.asked, batch.growing, batch.pending = status, asked, growing, pending
        if self._opened and (records or lines or changed):
            self._post(News())

    def _plain_lines(self, log: OpenedLog) -> tuple[list[str], str]:
        if not self.wants_lines:
            return [], self._batch.pending
        path = plain_log(log)
        if path is None:
            return [], ""
        if self._tail is None or self._tail.path != path:
            self._tail = TextTail(path)
        return self._tail.read(), self._tail.pending


def _state(status: RunStatus | None) -> str | None:
    return status.state if status is not None else None


def _rings(record: Record) -> bool:
    return record["event"] == RUN_END or (record["event"] == HEALTH and record.get("severity") == STOP)


def plain_log(log: OpenedLog) -> Path | None:
    """What the ranks of a run print, or another program's log where it is text; None where there is none."""
    if log.path.is_dir():
        return RunLayout(log.path).training_log
    try:
        with log.path.open("rb") as file:
            return None if b"\0" in file.read(1024) else log.path
    except OSError:
        return None
