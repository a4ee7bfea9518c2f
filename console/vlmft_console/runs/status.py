"""What state a run is in, told from its folder alone and without disturbing it."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from vlmft_console.errors import EXIT_FAILED
from vlmft_console.runs.folder import RunFolder
from vlmft_console.runs.locks import held
from vlmft_console.runs.verdict import CRASHED
from vlmft_core.durable import read_json
from vlmft_core.run_folder.events import STATUSES, boot_id

STARTING = "starting"
RUNNING = "running"
STOPPING = "stopping"
STALLED = "stalled"
UNSUPERVISED = "unsupervised"
LOST = "lost"

LIVE = frozenset({STARTING, RUNNING, STOPPING, STALLED, UNSUPERVISED})
"""States in which processes of the run are, or may be, alive."""

SILENT_SECONDS = 60.0
"""Without any event for this long a run is stalled: rank 0 has a heartbeat every 10 s."""
STEP_FACTOR = 5.0
"""A step that takes this many times the usual one is a stall, however the heart beats."""
STEP_FLOOR_SECONDS = 30.0
"""No step is a stall before this: the first ones after a pause may be slow."""


UNREADABLE = "unreadable"
"""The state of a run whose log is there and cannot be read."""


@dataclass(frozen=True)
class Status:
    """`state` is one of the states above or of `STATUSES`; `reason` is empty or one line."""

    state: str
    reason: str = ""
    exit_code: int = EXIT_FAILED
    """What `vlmft run` exits with; of no meaning while the run is live."""

    @property
    def live(self) -> bool:
        return self.state in LIVE


class Pulse(Protocol):
    """What of a run's events tells whether it lives: a `RunState`, or a picture of one for another thread."""

    @property
    def segment(self) -> int: ...
    @property
    def step(self) -> int: ...
    @property
    def last_step(self) -> Mapping[str, Any] | None: ...
    @property
    def last_seen(self) -> float | None: ...
    @property
    def heartbeat(self) -> Mapping[str, Any] | None: ...
    @property
    def steps_per_second(self) -> float | None: ...


def status_of(folder: RunFolder, run: Pulse) -> Status:
    """The state of the run.

    Args:
        folder: the run folder.
        run: its events so far, reduced.
    """
    if not folder.path.exists():
        return Status(UNREADABLE, "its folder is gone: deleted, or moved")
    supervised = held(folder.lock)  # before the look at its end: a supervisor writes that while it holds the lock
    ended = read_json(folder.exit_file)
    if ended is not None:
        state = str(ended.get("status"))
        code = ended.get("exit_code")
        return Status(
            state if state in (*STATUSES, CRASHED) else CRASHED,
            str(ended.get("reason") or ""),
            code if isinstance(code, int) else EXIT_FAILED,
        )
    if not supervised:
        return _without_supervisor(folder)
    if folder.stop_file.exists():
        return Status(STOPPING)
    resuming = run.segment < (folder.current_segment() or 0)  # the log still speaks of the segment before
    if resuming or run.last_step is None:
        return Status(STARTING) if resuming or not _silent(run) else Status(STALLED, "no event for a minute")
    if _silent(run):
        return Status(STALLED, "no event for a minute, not even a heartbeat")
    waited, usual = _in_this_step(run), 1 / run.steps_per_second if run.steps_per_second else None
    if usual is not None and waited > max(STEP_FLOOR_SECONDS, STEP_FACTOR * usual):
        return Status(STALLED, f"a step has taken {waited:.0f} s so far, where one takes {usual:.1f} s")
    return Status(RUNNING)


def _without_supervisor(folder: RunFolder) -> Status:
    if held(folder.ranks_lock):
        return Status(
            UNSUPERVISED, f"its supervisor is gone but ranks live: {folder.owner()}; vlmft resume gives it one"
        )
    known = folder.processes()
    if any(identity.boot_id != boot_id() for identity in known.values()):
        return Status(LOST, "the machine was restarted")
    if alive := [role for role, identity in known.items() if identity.alive]:
        return Status(UNSUPERVISED, f"its supervisor is gone but {', '.join(alive)} live")
    return Status(CRASHED, "its supervisor is gone and nothing of it is alive")


def _silent(run: Pulse) -> bool:
    return run.last_seen is not None and time.time() - run.last_seen > SILENT_SECONDS


def _in_this_step(run: Pulse) -> float:
    """Seconds that the current step has taken so far; 0 between steps, where an eval or a save may take long.

    Both times are the log's own: no clock of ours is needed.
    """
    beat = run.heartbeat
    if run.last_step is None or beat is None or beat.get("phase") != "step" or beat["step"] != run.step:
        return 0.0
    began, now = run.last_step["t"], beat["t"]
    return max(0.0, now - began) if now is not None and began is not None else 0.0
