"""Run status: what state a run is in, told from its folder and its pulse without disturbing it."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from vlmft_console.errors import RunFolderError
from vlmft_console.figures import clock
from vlmft_console.history.pulse import Pulse
from vlmft_console.places.place import Hosts, Slurm
from vlmft_console.places.slurm import UNNAMED, JobState, cluster_name, job_name, job_state
from vlmft_console.runs.elsewhere import GONE_SECONDS, elsewhere
from vlmft_console.runs.folder import RunFolder
from vlmft_console.runs.locks import held, stays_held
from vlmft_console.runs.verdict import CRASHED
from vlmft_core.durable import read_json
from vlmft_core.errors import EXIT_FAILED, EXIT_INTERRUPTED, VlmftError
from vlmft_core.figures import short
from vlmft_core.run_folder.events import EARLY_STOPPED, FINISHED, RUN_END, STATUSES, STOPPED, Record, parse
from vlmft_core.run_folder.growing import GrowingFile

QUEUED = "queued"
"""It waits in the queue of a cluster."""
STARTING = "starting"
RUNNING = "running"
STOPPING = "stopping"
STALLED = "stalled"
UNSUPERVISED = "unsupervised"
ELSEWHERE = "elsewhere"
"""Whether it lives can only be told on another machine, in another folder, or by another user."""
LOST = "lost"
RECORDED = "recorded"
"""The state of a recorded run, or of a log alone, that does not say how it ended."""
UNREADABLE = "unreadable"
"""The state of a run whose log is there and cannot be read."""

LIVE = frozenset({QUEUED, STARTING, RUNNING, STOPPING, STALLED, UNSUPERVISED, ELSEWHERE})
"""States in which processes of the run are, or may be, alive, or come to be so by themselves."""

SILENT_SECONDS = 60.0
"""Without any event for this long a run is stalled: rank 0 has a heartbeat every 10 s."""
STEP_FACTOR = 5.0
"""A step that takes this many times the usual one is a stall, however the heart beats."""
STEP_FLOOR_SECONDS = 30.0
"""No step is a stall before this: the first ones after a pause may be slow."""
ENDING_SECONDS = 120.0
"""How long after the end of a run its job may take to end, or to be put back into the queue."""
UNWITNESSED = "unwitnessed: its supervisor was gone by then, and its log says so"
"""The reason where a run's log is the only one to say how it ended."""
_EXIT_CODES = {FINISHED: 0, EARLY_STOPPED: 0, STOPPED: EXIT_INTERRUPTED}


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


_CLOSED = RunStatus(ELSEWHERE, "its locks are closed to you: only its owner can tell whether it lives")


def status_of(folder: RunFolder, pulse: Pulse | None = None, *, gone: bool = False) -> RunStatus:
    """The state of the run.

    Args:
        folder: the run folder.
        pulse: of its events so far. Without it a run that may be starting or stalled counts as running, which is told
            at once, however long the log.
        gone: the machine that ran it is said to be gone, and all of the run with it.
    """
    if not folder.path.exists():
        return RunStatus(UNREADABLE, "its folder is gone: deleted, or moved")
    supervised = _held(folder.lock)  # before the look at its end: a supervisor writes that while it holds the lock
    ended = read_json(folder.exit_file)
    # A supervisor that has said how its run ended is about to go; if it stays, somebody else put that there.
    if ended is not None and not (supervised and stays_held(folder.lock)):
        state = str(ended.get("status"))
        code = ended.get("exit_code")
        code = code if type(code) is int and 0 <= code < 256 else EXIT_FAILED
        if state not in (FINISHED, EARLY_STOPPED) and _recent(ended.get("t")) and (job := job_of(folder)):
            if job.waiting:
                return RunStatus(QUEUED, str(job))
            if job.there:  # it may go back into the queue
                return RunStatus(STOPPING)
        known = state if state in (*STATUSES, CRASHED) else CRASHED
        return RunStatus(known, str(ended.get("reason") or ""), code)
    if supervised is None:
        return _CLOSED
    job = None if supervised else job_of(folder)
    if not supervised and not (job and job.there):
        return RunStatus(QUEUED, str(job)) if job and job.waiting else _without_supervisor(folder, job, gone)
    record = folder.process_record()
    if supervised and record.shares_files_with(folder.path):
        return RunStatus(ELSEWHERE, f"a copy of {record.path} by hard links, the lock among them: ask there")
    if folder.stop_file.exists():
        return RunStatus(STOPPING)
    return RunStatus(RUNNING) if pulse is None else _by_pulse(pulse, record.segment or 0)


def _recent(t: object) -> bool:
    """Whether a time is less than `ENDING_SECONDS` ago."""
    return isinstance(t, int | float) and abs(t) < 1e12 and abs(time.time() - t) < ENDING_SECONDS


def job_of(folder: RunFolder) -> JobState | None:
    """The run's job in a cluster's queue; None where it has none, or Slurm cannot be asked from here."""
    try:
        place = folder.place
    except RunFolderError:
        return None
    if not isinstance(place, Slurm) or not place.job:
        return None
    unnamed = place.cluster in ("", UNNAMED)  # Slurm did not tell it when the run was submitted
    if not unnamed and place.cluster != cluster_name():
        return None
    job = job_state(place.job, job_name(folder.name))
    # A cluster that may be another one is believed only of a job that it knows.
    return None if unnamed and cluster_name() and job is not None and not job.state else job


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
        return RunStatus(STALLED, f"a step has taken {clock(waited)} so far, where one takes {short(1 / speed)} s")
    return RunStatus(RUNNING)


def _without_supervisor(folder: RunFolder, job: JobState | None, gone: bool) -> RunStatus:
    """The state of a run whose folder does not say how it ended, and whose lock nobody holds.

    Args:
        folder: the run folder.
        job: the run's job, which is over; None for a run that has none, or whose cluster does not tell.
        gone: as `status_of`.
    """
    try:
        place = folder.place
    except RunFolderError as error:
        if not gone:
            return RunStatus(ELSEWHERE, str(error))
        place = None
    record = folder.process_record()
    lines = _last_lines(folder.events_file(record.segment or folder.last_segment))
    latest = next(_records(lines), None)
    of_ranks = (latest and latest["t"]) or 0.0
    # Ranks of other hosts may live on when the machine of their supervisor is gone.
    heard = record.t if gone and isinstance(place, Hosts) else max(record.t, of_ranks)
    if job is None:
        if isinstance(place, Slurm) and (place.job or place.cluster) and not gone:
            named = f"job {place.job}" if place.job else f"{job_name(folder.name)}, whose number sbatch did not say,"
            return RunStatus(ELSEWHERE, f"{named} of {place.cluster or UNNAMED}, which does not tell here")
        if where := elsewhere(folder.path, record, heard, gone=gone):
            return RunStatus(ELSEWHERE, where)
    ranked = _held(folder.ranks_lock)
    if ranked is None:
        return _CLOSED
    if ranked:
        owner = folder.owner() if not isinstance(place, Hosts) else f"on {', '.join(place.slots)}"
        return RunStatus(UNSUPERVISED, f"its supervisor is gone but ranks live: {owner}; vlmft resume gives it one")
    if alive := folder.alive():
        return RunStatus(UNSUPERVISED, f"its supervisor is gone but {', '.join(alive)} live")
    ends = _records(line for line in lines if RUN_END.encode() in line)
    if end := next((one for one in ends if one["event"] == RUN_END and one["status"] in STATUSES), None):
        reason = "; ".join(filter(None, (str(end.get("reason") or ""), UNWITNESSED)))
        return RunStatus(end["status"], reason, _EXIT_CODES.get(end["status"], EXIT_FAILED))
    began = record.t if record.launcher else 0.0
    if isinstance(place, Hosts) and time.time() - max(began, of_ranks) < GONE_SECONDS:
        # Locks of other hosts may not be seen, nor ranks that have yet to take theirs.
        last = f"on {', '.join(place.slots)} were started, or heard of, less than a minute ago"
        return RunStatus(UNSUPERVISED, f"its supervisor is gone, but ranks {last}")
    if job is not None:
        return RunStatus(CRASHED, f"its job is over: {job.state}" if job.state else "its job is over, how is not known")
    if record.of_another_boot:
        return RunStatus(LOST, "its machine is said to be gone" if gone else "the machine was restarted")
    return RunStatus(CRASHED, "its supervisor is gone and nothing of it is alive")


def _held(lock: Path) -> bool | None:
    """Whether a lock is held; None where it is closed to us."""
    try:
        return held(lock)
    except PermissionError:
        return None


def _last_lines(log: Path) -> list[bytes]:
    """What stands at the end of an event log, the newest first; the rest of it is not read."""
    try:
        return GrowingFile(log).chunk(newest=True).splitlines()[::-1]
    except VlmftError:
        return []


def _records(lines: Iterable[bytes]) -> Iterator[Record]:
    for line in lines:
        with contextlib.suppress(ValueError):
            yield parse(line)


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
