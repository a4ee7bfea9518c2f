"""Loading: a log read to its end, with word on how far the reading is, or in a process of its own."""

from __future__ import annotations

import os
import pickle
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from vlmft_console.figures import done
from vlmft_console.history.handover import Handover, Packed
from vlmft_core.errors import VlmftError

if TYPE_CHECKING:
    from vlmft_console.history.choice import Choice
    from vlmft_console.history.opened import OpenedLog
    from vlmft_console.history.state import RunState

LOADING_SECONDS = 0.3
"""Between two words on how far the reading is."""
GLIMPSE_SECONDS = 0.6
"""Until a log that is still being read shows what it held so far; then at twice the time, and twice that, …"""
GLIMPSE_STEPS = 200_000
"""… as long as it has no more steps than these: a state of a million takes 170 MB, in both processes and on the way."""


IN_MEMORY = 1 << 16
"""Records of which the figures are kept in memory, before they go to a file with those of earlier ones."""


@dataclass(frozen=True)
class Progress:
    """How far the reading is."""

    name: str
    """What the run is called. Foreign text: not to be shown as it is."""
    share: float | None
    """How much of the log has been read, 0 to 1; None where nobody knows."""
    step: int
    glimpse: Packed | None = None
    """The state of the run at that point, where it is time to show one."""

    def __str__(self) -> str:
        share = "" if self.share is None else f"{done(self.share)}, "
        return f"reading {self.name}: {share}step {self.step:,}"


@dataclass(frozen=True)
class ReadLog:
    """A log read to its present end, and what it adds up to."""

    log: OpenedLog
    state: RunState
    several: str = ""
    """Of a log with several trainings, which one this is, in words."""

    @property
    def name(self) -> str:
        """What to call the run. Foreign text."""
        return self.log.name

    def begun_anew(self) -> ReadLog:
        """The same log, where another training begins in it: nothing of that one has been taken in yet."""
        from vlmft_console.history.state import RunState

        return replace(self, state=RunState(self.log.monitor), several="")


@dataclass(frozen=True)
class _Failed:
    reason: str


def load(
    target: Path, choice: Choice | None = None, *, glimpses: bool = True, handover: Handover | None = None
) -> Iterator[Progress | ReadLog]:
    """Read a run or a log to its end; `ReadLog` comes last. Of a long log of ours that was read before, only the rest.

    Args:
        target: a run folder or a log.
        choice: what of it; the last training and the first eval set, if None.
        glimpses: whether somebody looks at curves, before the end, too.
        handover: by which it goes on to another process, where it does.

    Raises:
        VlmftError: as `open_log` and its reader; or there is not what was chosen.
    """
    from vlmft_console.history import summary
    from vlmft_console.history.choice import LAST
    from vlmft_console.history.opened import open_log
    from vlmft_console.history.state import RunState
    from vlmft_console.history.trainings import Trainings

    choice, handover = choice or LAST, handover or Handover()
    log = open_log(target, choice.eval_set)
    taken = summary.take_up(log, handover.columns) if choice == LAST else None
    state, trainings = taken or (RunState(log.monitor), Trainings(choice.run))
    before, began = summary.read_so_far(log), time.monotonic()
    said, glimpsed, stored = began, GLIMPSE_SECONDS / 2, state.applied
    for part in trainings.of(log.reader.batches()):
        if part.begins:
            state = RunState(log.monitor, notes=state.notes)
        state.apply_all(part.records)
        if handover.columns and abs(state.applied - stored) >= IN_MEMORY:
            stored = state.applied
            with suppress(OSError):  # no room: then they stay in memory
                state.put_away(handover.columns)
        now = time.monotonic()
        if now - said >= LOADING_SECONDS:
            said = now
            glimpse = None
            if glimpses and len(state.train_loss) <= GLIMPSE_STEPS and now - began >= 2 * glimpsed:
                glimpsed = now - began
                glimpse = Packed(handover, state)
            yield Progress(log.name, log.reader.progress, state.step, glimpse)
    log.require_read()
    trainings.require(log)
    state.rejected = log.rejected
    if glimpses:
        state.prepare()
    if choice == LAST:
        summary.keep(log, state, trainings, before)
    yield ReadLog(log, state, trainings.note())


def read_log(
    target: Path, choice: Choice | None = None, tell: Callable[[Progress], object] = lambda progress: None
) -> ReadLog:
    """The same in one go.

    Args:
        target: a run folder or a log.
        choice: as for `load`.
        tell: is told now and then how far it is.

    Raises:
        VlmftError: as `load`.
    """
    for each in load(target, choice, glimpses=False):
        if isinstance(each, ReadLog):
            return each
        tell(each)
    raise AssertionError("`load` ends with what was read")


class ReadAhead:
    """`load` in a process of its own, which goes on while this one imports Textual and draws its first screen.

    It is forked, so only a process that has no threads yet may do this. The child ends by itself when nobody listens
    any more.

    Args:
        target: a run folder or a log.
    """

    def __init__(self, target: Path) -> None:
        self._target = target
        self._handover = Handover()
        receiver, sender = os.pipe()
        self._child = os.fork()
        if self._child == 0:
            os.close(receiver)
            _send_all(target, sender, self._handover)
        os.close(sender)
        self._receiver = receiver

    def results(self) -> Iterator[Progress | ReadLog]:
        """What `load` yields. Once: the child has nothing more to say then.

        Raises:
            VlmftError: as `load`.
        """
        with os.fdopen(self._receiver, "rb") as pipe:
            try:
                while not isinstance(said := self._handover.unpack(pipe), ReadLog | _Failed):
                    yield said
            except (EOFError, pickle.UnpicklingError):  # the child was killed: read it here
                said = None
        os.waitpid(self._child, 0)
        if isinstance(said, _Failed):
            raise VlmftError(said.reason)
        if said is None:
            yield from load(self._target)
        else:
            yield said


def _send_all(target: Path, sender: int, handover: Handover) -> None:
    """The child's whole life."""
    try:
        os.setsid()  # keys that end the app shall not end this halfway
        with os.fdopen(sender, "wb") as pipe:
            try:
                for each in load(target, handover=handover):
                    pipe.write(handover.pack(each))
                    pipe.flush()
            except (VlmftError, OSError) as error:
                pipe.write(handover.pack(_Failed(str(error))))
    finally:
        os._exit(0)  # the parent's buffers and handlers are not this process's to run
