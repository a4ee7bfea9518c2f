"""Follow a started run to its end, and pass on the wish to stop it."""

from __future__ import annotations

import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

from vlmft_console.display import Display
from vlmft_console.history.state import RunState
from vlmft_console.history.tail import Tail
from vlmft_console.runs.child import Child
from vlmft_console.runs.folder import RunFolder
from vlmft_console.runs.verdict import Verdict, judge

POLL_SECONDS = 0.2
TERM_GRACE_SECONDS = 30.0
"""How long the ranks get between TERM and KILL after a second Ctrl-C."""


def follow(child: Child, folder: RunFolder, state: RunState, display: Display) -> Verdict:
    """Show the run until its launcher is gone, then say how it ended.

    The first Ctrl-C asks the ranks for a checkpoint and a clean end; the second ends them.
    """
    tail = Tail(folder.events_file())
    with _counted_interrupts() as interrupts:
        answered = 0
        while True:
            status = child.poll()  # before the read: what was written before the end is then read below
            new = tail.read()
            for record in new:
                state.apply(record)
            display.update(state, new)
            if status is not None:
                break
            if interrupts and answered == 0:
                answered = 1
                folder.request_stop("Ctrl-C")
                display.say("stopping: the ranks save a checkpoint first. Ctrl-C again ends them at once.")
            elif len(interrupts) > 1 and answered == 1:
                answered = 2
                display.say(f"ending all ranks now (at most {TERM_GRACE_SECONDS:.0f} s)")
                if left := child.end(TERM_GRACE_SECONDS):
                    display.say(f"still running after KILL: {', '.join(map(str, left))}")
            time.sleep(POLL_SECONDS)
        alive = child.left()
        if alive:
            display.say(f"the launcher is gone but processes {', '.join(map(str, alive))} live: ending them")
            child.end(TERM_GRACE_SECONDS)
    if tail.rejected:
        display.say(f"{tail.rejected} lines of the event log are no records and were skipped")
    return judge(state, status, alive)


@contextmanager
def _counted_interrupts() -> Iterator[list[int]]:
    """SIGINT is counted instead of raised, so that it never lands in the middle of something."""
    seen: list[int] = []

    def count(number: int, frame: FrameType | None) -> None:
        seen.append(number)

    before = signal.signal(signal.SIGINT, count)
    try:
        yield seen
    finally:
        signal.signal(signal.SIGINT, before)
