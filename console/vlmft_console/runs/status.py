"""Run status: what state a run is in, told from its folder and its pulse without disturbing it."""

from __future__ import annotations

import time
from dataclasses import dataclass

from vlmft_console.history.pulse import Pulse
from vlmft_console.runs.folder import RunFolder
from vlmft_console.runs.locks import held
from vlmft_console.runs.verdict import CRASHED
from vlmft_core.durable import read_json
from vlmft_core.errors import EXIT_FAILED
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
RECORDED = "recorded"
"""The state of a recorded run, or of a log alone, that does not say how it ended."""
UNREADABLE = "unreadable"
"""The state of a run whose log is there and cannot be read."""


@dataclass(frozen=True)
class RunStatus:
    """`state` is one of the states above or of `STATUSES`; `reason` is empty or one line."""

    state: str
    reason: str = ""
    exit_code: int = EXIT_FAILED
    """What `vlmft run` exits with; of no meaning while the run is live."""

    @property
    def live(self) -> bool:
        return self.state in LIVE


def status_of(folder: RunFolder, pulse: Pulse | None = None) -> RunStatus:
    """The state of the run.

    Args:
        folder: the run folder.
        pulse: of its events so far. Without it a run that may be starting or stalled counts as running, which is told
            at once, however long the log.
    """
    if not folder.path.exists():
        return RunStatus(UNREADABLE, "its folder is gone: deleted, or moved")
    supervised = held(folder.lock)  # before the look at its end: a supervisor writes that while it holds the lock
    ended = read_json(folder.exit_file)
    if ended is not None:
        state = str(ended.get("status"))
        code = ended.get("exit_code")
        return RunStatus(
            state if state in (*STATUSES, CRASHED) else CRASHED,
            str(ended.get("reason") or ""),
            code if isinstance(code, int) else EXIT_FAILED,
        )
    if not supervised:
        return _without_supervisor(folder)
    if folder.stop_file.exists():
        return RunStatus(STOPPING)
    return RunStatus(RUNNING) if pulse is None else _by_pulse(pulse, folder.current_segment() or 0)


def _by_pulse(pulse: Pulse, segment: int) -> RunStatus:
    """The state of a supervised run whose latest start writes `segment`."""
    resuming = pulse.segment < segment  # the log still speaks of the segment before
    if resuming or pulse.last_step is None:
        stalled = _silent(pulse) and not resuming
        return RunStatus(STALLED, "no event for a minute") if stalled else RunStatus(STARTING)
    if _silent(pulse):
        return RunStatus(STALLED, "no event for a minute, not even a heartbeat")
    waited, speed = _in_this_step(pulse), pulse.steps_per_second
    if speed and waited > max(STEP_FLOOR_SECONDS, STEP_FACTOR / speed):
        return RunStatus(STALLED, f"a step has taken {waited:.0f} s so far, where one takes {1 / speed:.1f} s")
    return RunStatus(RUNNING)


def _without_supervisor(folder: RunFolder) -> RunStatus:
    if held(folder.ranks_lock):
        return RunStatus(
            UNSUPERVISED, f"its supervisor is gone but ranks live: {folder.owner()}; vlmft resume gives it one"
        )
    known = folder.processes()
    if any(identity.boot_id != boot_id() for identity in known.values()):
        return RunStatus(LOST, "the machine was restarted")
    if alive := [role for role, identity in known.items() if identity.alive]:
        return RunStatus(UNSUPERVISED, f"its supervisor is gone but {', '.join(alive)} live")
    return RunStatus(CRASHED, "its supervisor is gone and nothing of it is alive")


def _silent(pulse: Pulse) -> bool:
    return pulse.last_seen is not None and time.time() - pulse.last_seen > SILENT_SECONDS


def _in_this_step(pulse: Pulse) -> float:
    """Seconds that the current step has taken so far; 0 between steps, where an eval or a save may take long.

    Both times are the log's own: no clock of ours is needed.
    """
    beat, last = pulse.heartbeat, pulse.last_step
    if last is None or beat is None or beat.get("phase") != "step" or beat["step"] != pulse.step:
        return 0.0
    began, now = last["t"], beat["t"]
    return max(0.0, now - began) if now is not None and began is not None else 0.0
