"""What state a run is in, told from its folder alone and without disturbing it."""

from __future__ import annotations

import time
from dataclasses import dataclass

from vlmft_console.errors import EXIT_FAILED
from vlmft_console.history.state import RunState
from vlmft_console.runs.folder import RunFolder, read_json
from vlmft_console.runs.locks import held
from vlmft_console.runs.processes import boot_id
from vlmft_console.runs.verdict import CRASHED
from vlmft_trainer.events import STATUSES

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
"""Without a step for this many times the usual step time a run is stalled, however its heart beats."""
STEP_FLOOR_SECONDS = 60.0
"""An eval or a save between two steps is no stall: no run is stalled before this."""


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


def status_of(folder: RunFolder, run: RunState) -> Status:
    """The state of the run.

    Args:
        folder: the run folder.
        run: its events so far, reduced.
    """
    ended = read_json(folder.exit_file)
    if ended is not None:
        state = str(ended.get("status"))
        code = ended.get("exit_code")
        return Status(
            state if state in (*STATUSES, CRASHED) else CRASHED,
            str(ended.get("reason") or ""),
            code if isinstance(code, int) else EXIT_FAILED,
        )
    if not held(folder.lock):
        # Written between the two looks? Then it has ended after all.
        return status_of(folder, run) if folder.exit_file.exists() else _without_supervisor(folder, run)
    if folder.stop_file.exists():
        return Status(STOPPING)
    if run.last_step is None:
        return Status(STARTING) if not _silent(run) else Status(STALLED, "no event for a minute")
    if _silent(run):
        return Status(STALLED, "no event for a minute, not even a heartbeat")
    waited = _since_last_step(run)
    usual = 1 / run.steps_per_second if run.steps_per_second else None
    if usual is not None and waited > max(STEP_FLOOR_SECONDS, STEP_FACTOR * usual):
        return Status(STALLED, f"no step for {waited:.0f} s, where one takes {usual:.1f} s")
    return Status(RUNNING)


def _without_supervisor(folder: RunFolder, run: RunState) -> Status:
    if held(folder.ranks_lock):
        return Status(UNSUPERVISED, f"its supervisor is gone but ranks live: {folder.owner()}")
    known = folder.processes()
    if any(identity.boot_id != boot_id() for identity in known.values()):
        return Status(LOST, "the machine was restarted")
    if alive := [role for role, identity in known.items() if identity.alive]:
        return Status(UNSUPERVISED, f"its supervisor is gone but {', '.join(alive)} live")
    return Status(CRASHED, "its supervisor is gone and nothing of it is alive")


def _silent(run: RunState) -> bool:
    return run.last_seen is not None and time.time() - run.last_seen > SILENT_SECONDS


def _since_last_step(run: RunState) -> float:
    """Seconds from the last step to the last event, which a heartbeat keeps recent; no clock of ours is needed."""
    if run.last_step is None or run.last_seen is None:
        return 0.0
    return max(0.0, run.last_seen - float(run.last_step["t"]))
