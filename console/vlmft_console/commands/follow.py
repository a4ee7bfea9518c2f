"""Following a run: to its end, as a reader that may come and go, passing on the wish to stop it."""

from __future__ import annotations

import signal
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

from vlmft_console.commands.progress import Display
from vlmft_console.history.state import RunState
from vlmft_console.runs.folder import RunFolder
from vlmft_console.runs.leaving_queue import leave_queue
from vlmft_console.runs.status import QUEUED, UNSUPERVISED, RunStatus, status_of
from vlmft_core.figures import counted
from vlmft_core.run_folder.stop import StopRequest
from vlmft_core.run_folder.tail import RunTail

POLL_SECONDS = 0.2
STATUS_SECONDS = 1.0
"""How often the state is worked out anew; events are shown at once."""


def follow(folder: RunFolder, state: RunState, display: Display, *, steer: bool) -> RunStatus | None:
    """Show the run until it has ended.

    Args:
        folder: the run folder.
        state: taken further by every event read.
        display: shows it.
        steer: what Ctrl-C means. True: the first asks for a checkpoint and a clean end, the second ends the ranks
            now. False: stop looking.

    Returns:
        How it ended, or None when the reader left a run that goes on.
    """
    tail = RunTail(folder.logs)
    asked = 0
    looked = 0.0
    waits = ""
    with _counted_interrupts() as interrupts:
        while True:
            status = None
            if time.monotonic() - looked >= STATUS_SECONDS or folder.exit_file.exists():
                looked = time.monotonic()
                # Before the read: what the run wrote until its end is read below.
                status = status_of(folder, state.pulse)
            for new in tail.batches():
                state.apply_all(new)
                display.tell(new)
            display.update(state)
            if status is not None and status.state == QUEUED and status.reason != waits:
                waits = status.reason
                display.say(f"queued: {waits}" if waits else "queued")
            if status is not None and not status.live:
                break
            if status is not None and status.state == UNSUPERVISED:
                display.say(status.reason)
                break
            if interrupts and not steer:
                status = None
                break
            while steer and asked < min(len(interrupts), 2):
                asked += 1
                _ask(folder, display, now=asked == 2)
            time.sleep(POLL_SECONDS)
    if tail.rejected:
        display.say(f"{counted(tail.rejected, 'line')} of the event log skipped: no records")
    return status


def _ask(folder: RunFolder, display: Display, *, now: bool) -> None:
    request = StopRequest("Ctrl-C", now=now)
    request.write(folder)
    if status_of(folder).state == QUEUED:
        leave_queue(folder, request)
    elif now:
        display.say("ending all ranks now")
    else:
        display.say("stopping: the ranks save a checkpoint first. Ctrl-C again ends them at once.")


@contextmanager
def _counted_interrupts() -> Iterator[list[int]]:
    """SIGINT is counted instead of raised, so that it never lands in the middle of something.

    TERM and a hangup end this program in an orderly way: the display gives the terminal back. The run goes on.
    """
    seen: list[int] = []

    def count(number: int, frame: FrameType | None) -> None:
        seen.append(number)

    def leave(number: int, frame: FrameType | None) -> None:
        sys.exit(128 + number)

    handlers = {signal.SIGINT: count, signal.SIGTERM: leave, signal.SIGHUP: leave}
    before = {number: signal.signal(number, handler) for number, handler in handlers.items()}
    try:
        yield seen
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
