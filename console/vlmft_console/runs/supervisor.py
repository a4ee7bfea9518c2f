"""Supervisor, one a run: starts the launcher, watches every process, carries out a stop, says how it ended.

Started as `python -m vlmft_console.runs.supervisor FOLDER` in a session of its own with files for its output, so that
whoever started it may die, hang up or be started again. With `--adopt` it starts nothing, but takes over a run whose
supervisor was killed.
"""

from __future__ import annotations

import contextlib
import os
import signal
import sys
import time
from dataclasses import replace
from pathlib import Path
from types import FrameType

from vlmft_console.figures import stamp
from vlmft_console.places.place import Hosts
from vlmft_console.runs import processes
from vlmft_console.runs.exit_record import ExitFile
from vlmft_console.runs.family import AdoptedFamily, Family, start_launcher
from vlmft_console.runs.folder import RunFolder
from vlmft_console.runs.ladder import due
from vlmft_console.runs.locks import acquire, held
from vlmft_console.runs.remote_family import AdoptedHostsFamily, HostsFamily, SlurmFamily
from vlmft_console.runs.upkeep import Upkeep
from vlmft_console.runs.verdict import Verdict, judge
from vlmft_core.durable import read_json
from vlmft_core.errors import EXIT_BUSY, EXIT_MISTAKE, VlmftError
from vlmft_core.run_folder.checkpoints import complete_ones
from vlmft_core.run_folder.events import FAILED, RUN_END, Record
from vlmft_core.run_folder.pinned import pinned
from vlmft_core.run_folder.stop import StopRequest
from vlmft_core.run_folder.tail import Tail

POLL_SECONDS = 0.2
LEFTOVER_SECONDS = 2.0
"""How long processes may outlive the launcher before they count as orphans and are killed."""
KILL_SECONDS = 10.0
"""How long killed processes are waited for before they are named as survivors."""

_OF_A_RANK = (
    "RANK",
    "LOCAL_RANK",
    "WORLD_SIZE",
    "LOCAL_SIZE",
    "LOCAL_WORLD_SIZE",
    "CROSS_RANK",
    "GROUP_RANK",
    "MASTER_ADDR",
    "MASTER_PORT",
    "SLURM_STEP_NUM_TASKS",  # without it a rank asks nothing else of Slurm's
)


class Supervisor:
    """Watches one start of one run.

    Args:
        folder: the run folder, locked by the caller.
        exit_file: says how it ended.
        family: its processes.
        segment: of the event log, the one that this start writes.
    """

    def __init__(self, folder: RunFolder, exit_file: ExitFile, family: Family, segment: int) -> None:
        self._folder = folder
        self._exit_file = exit_file
        self._segment = segment
        self._tail = Tail(folder.events_file(segment))
        self._earlier = _size_before(folder, segment)
        self.upkeep = Upkeep(folder)
        """Of what later readers of the run need."""
        self._family = family
        self._run_end: Record | None = None
        self._terminated_by: signal.Signals | None = None
        self._request: StopRequest | None = None
        self._untold: StopRequest | None = None
        """One that could not be written for the ranks to find."""
        self._termed = False
        self._orphans: tuple[int, ...] = ()
        # Monotonic times, each set once: a stop was asked for in its present form; a rank or the launcher died of
        # itself; the launcher was gone; KILL was first sent.
        self._asked_at: float | None = None
        self._failed_at: float | None = None
        self._left_at: float | None = None
        self._killed_at: float | None = None

    def run(self) -> int:
        """Stay until nothing of the run is alive or can be killed. Returns the run's exit code."""
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self._on_signal)
        self._write_processes()
        while True:
            if self._family.observe(signalled=self._termed or self._killed_at is not None):
                self._write_processes()
            self._read_log()
            now = time.monotonic()
            if self._family.over:
                self._left_at = self._left_at or now
                if not self._family.left_behind:
                    break
            self._notice_failure(now)
            self._act(now)
            if self._killed_at is not None and now - self._killed_at > KILL_SECONDS:
                break
            self._family.wait(POLL_SECONDS)
        self._read_log()
        living = [identity.pid for identity in self._family.living()]
        checkpoints = [checkpoint.step for checkpoint in complete_ones(self._folder)]
        verdict = judge(
            self._run_end,
            self._family.launcher_status,
            self._family.ends.values(),
            living if self._family.adopted else self._orphans,
            self._request if self._failed_at is None else None,
            checkpoint=max(checkpoints, default=None),
            adopted=self._family.adopted,
            unseen=self._family.unseen if self._failed_at is not None or not self._family.adopted else (),
        )
        before = read_json(self._folder.earlier_exit_file(self._segment - 1))
        if verdict.exit_code == EXIT_MISTAKE and before is not None and not living:
            # A resume that was refused: nothing began, and the run is what it was, to be resumed once that is mended.
            verdict = Verdict(str(before.get("status")), f"not resumed: {verdict.reason}", EXIT_MISTAKE)
        self._exit_file.write(verdict, living)
        return verdict.exit_code

    def _write_processes(self) -> None:
        self._folder.write_processes(self._family.launcher, self._family.ranks, self._segment)

    def _on_signal(self, number: int, frame: FrameType | None) -> None:
        self._terminated_by = signal.Signals(number)

    def _read_log(self) -> None:
        with contextlib.suppress(VlmftError):  # what stands there is no log, so it says nothing
            for record in self._tail.read():
                if record["event"] == RUN_END:
                    self._run_end = record
                    self._family.ended_well = record["status"] != FAILED
        if reader := self.upkeep.look(self._earlier + self._tail.offset):
            self._family.strangers.add(reader)

    def _notice_failure(self, now: float) -> None:
        """A death that nobody asked for: of a rank, or of the launcher while ranks live."""
        if self._failed_at is not None or self._termed:
            return
        ends = [end.status for end in self._family.ends.values()]
        died = any(status not in (0, None) for status in ends)
        # The launcher tells of a rank that vanished unseen, if it is ours; else only the log can say that all is well.
        died |= self._family.adopted and None in ends and self._run_end is None
        # Of DeepSpeed's two launchers only the outer one's exit status is heard, and that may be 0 and late. Ranks that
        # have said that they finished may outlive it, for as long as they take to end.
        abandoned = self._run_end is None and self._family.abandoned
        if abandoned or (self._left_at is not None and now - self._left_at > LEFTOVER_SECONDS):
            self._orphans = tuple(identity.pid for identity in self._family.living_ranks())
            died = True
        if died or self._family.launcher_status not in (0, None):
            self._failed_at = now

    def _act(self, now: float) -> None:
        """Send what the ladder says is due: TERM once and to the ranks, KILL to everything and again."""
        if self._terminated_by is not None and StopRequest.read(self._folder) is None:
            self._ask(self._terminated_by.name)
        request = StopRequest.read(self._folder) or self._untold
        if request is not None and (self._request is None or request.now != self._request.now):
            self._request, self._asked_at = request, now
        number = due(
            self._request,
            None if self._asked_at is None else now - self._asked_at,
            None if self._failed_at is None else now - self._failed_at,
        )
        if number is signal.SIGTERM and not self._termed:
            self._termed = True
            self._family.signal_ranks(number)
        elif number is signal.SIGKILL:
            self._killed_at = self._killed_at or now
            # ranks first: their launcher would otherwise report them as its own doing
            self._family.signal_ranks(number)
            processes.send_all([*self._family.living(), self._family.launcher], number)

    def _ask(self, name: str) -> None:
        """Ask the ranks to stop, because this process got the signal of that name."""
        request = StopRequest(f"the supervisor got {name}", signal=name)
        try:
            request.write(self._folder)
        except OSError:  # a full disk, or the folder is gone: they cannot be told, nor save anything
            self._untold = self._untold or replace(request, now=True)


def _size_before(folder: RunFolder, segment: int) -> int:
    """Bytes of the event logs before a segment's."""
    size = 0
    for log in folder.segments[: segment - 1]:
        with contextlib.suppress(OSError):  # closed to us, or deleted
            size += log.stat().st_size
    return size


def supervise(folder: RunFolder, *, adopt: bool = False, job: str = "") -> int:
    """Take the run's lock, and run what its `run_file` says or adopt what runs.

    Args:
        folder: the run folder.
        adopt: take over what runs.
        job: the number of the Slurm job whose batch step this is; an earlier end was put away then, and a stop that
            was asked for meanwhile counts.

    Returns:
        The run's exit code, or `EXIT_BUSY` with a line on stderr when the run has an owner, or living ranks that
        cannot be adopted.
    """
    os.umask(0o077)
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    folder = pinned(folder)  # it may be renamed while it is run
    lock = acquire(folder.lock)
    if lock is None:
        print(f"{folder.path.resolve()} is run by another supervisor: {folder.owner()}", file=sys.stderr)
        return EXIT_BUSY
    supervisor = _adopt(folder) if adopt else _start(folder, job)
    if supervisor is None:
        return EXIT_BUSY
    code = supervisor.run()
    os.close(lock)  # the run is over: nobody shall wait for what follows
    supervisor.upkeep.finish()
    return code


def _start(folder: RunFolder, job: str) -> Supervisor | None:
    """Start the launcher; None, and a line on stderr, when ranks of an earlier start live.

    Raises:
        OSError: the launcher cannot be started, or the folder cannot be written.
    """
    if held(folder.ranks_lock):
        print(f"{folder.path.resolve()} has living ranks of an earlier start: {folder.owner()}", file=sys.stderr)
        return None
    processes.become_subreaper()
    command = folder.command()
    folder.write_processes()  # first: without its end, another machine must find where it is run
    if not job:
        folder.put_away_end()
    segment = folder.last_segment + 1
    exit_file = ExitFile(folder)  # first: a folder that cannot be written shall not have a run
    # A variable RANK of our own (inside a Slurm task, say) would make every process look like a rank.
    inherited = {key: value for key, value in os.environ.items() if key not in _OF_A_RANK}
    log = folder.new_training_log(stamp())
    place, launcher = folder.place, start_launcher(command.argv, {**inherited, **command.env}, log)
    family = Family(launcher, {})
    if job:
        family = SlurmFamily(launcher, job, log)
    elif isinstance(place, Hosts):
        family = HostsFamily(launcher, place.slots, folder.run_id, log, folder.ranks_lock)
    return Supervisor(folder, exit_file, family, segment)


def _adopt(folder: RunFolder) -> Supervisor | None:
    """Take over the processes that are known; None, and a line on stderr, when that is not what lives."""
    record, name, place = folder.process_record(), folder.path.resolve(), folder.place
    if record.launcher is None or record.segment is None or not record.is_of(folder.path) or folder.exit_file.exists():
        print(f"{name} has nothing to adopt", file=sys.stderr)
        return None
    log = folder.training_log
    if isinstance(place, Hosts) and log is not None:
        remote = AdoptedHostsFamily(record.launcher, place.slots, folder.run_id, log, folder.ranks_lock)
        remote.observe(signalled=False)
        if remote.over:
            print(f"{name} has nothing to adopt that could be seen from here", file=sys.stderr)
            return None
        return Supervisor(folder, ExitFile(folder), remote, record.segment)
    family = AdoptedFamily(record.launcher, record.ranks, folder.run_id)
    family.observe(signalled=False)
    if held(folder.ranks_lock) and not family.living_ranks():
        print(f"{name} has living ranks that its {folder.processes_file.name} does not name", file=sys.stderr)
        return None
    return Supervisor(folder, ExitFile(folder), family, record.segment)


if __name__ == "__main__":
    sys.exit(supervise(RunFolder(Path(sys.argv[1])), adopt="--adopt" in sys.argv[2:]))
