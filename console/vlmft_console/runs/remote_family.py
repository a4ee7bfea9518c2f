"""Remote family: the launcher is a child of this process, the ranks are not, and the launcher's output tells how they
end."""

from __future__ import annotations

import contextlib
import os
import re
import signal
import subprocess
import time
from abc import abstractmethod
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import ClassVar

from vlmft_console.places import pdsh, slurm
from vlmft_console.runs.family import Family, RankEnd
from vlmft_console.runs.locks import held
from vlmft_console.runs.processes import Identity, Seen, of_run
from vlmft_core.errors import VlmftError
from vlmft_core.run_folder.growing import GrowingFile, LineSplitter

_AGAIN_SECONDS = 2.0
"""How long after a signal the same one is not sent again."""


class RemoteFamily(Family):
    """A launcher, and ranks as far as it tells of them.

    Args:
        launcher: the child of this process.
        log: what it prints to.
    """

    def __init__(self, launcher: Identity, log: Path) -> None:
        super().__init__(launcher, {})
        self._log, self._lines = GrowingFile(log), LineSplitter()
        self._sent: tuple[signal.Signals, float] | None = None

    def observe(self, *, signalled: bool) -> bool:
        new = super().observe(signalled=signalled)
        for line in self._said():
            for rank, host, status, killed in self._told(line):
                self._note(RankEnd(rank, len(self.ends), status, signalled or killed, host))
        return new

    def signal_ranks(self, number: signal.Signals) -> None:
        """Have every rank, on whatever host, get it. Not waited for."""
        now = time.monotonic()
        if self._sent is not None and self._sent[0] is number and now - self._sent[1] < _AGAIN_SECONDS:
            return
        argv, env = self._signalling(number.name.removeprefix("SIG"))
        quiet = subprocess.DEVNULL
        with contextlib.suppress(OSError):  # no process more, or no memory: it is sent again
            sender = subprocess.Popen(argv, env={**os.environ, **env}, stdin=quiet, stdout=quiet, stderr=quiet)
            self.strangers.add(sender.pid)  # it shall not be killed with the run
            self._sent = (number, now)

    @abstractmethod
    def _told(self, line: str) -> Iterable[tuple[int, str, int | None, bool]]:
        """What a line of the launcher's says: a rank's number, its host, its status as `waitpid` gives it, and whether
        the launcher ended it."""

    @abstractmethod
    def _signalling(self, name: str) -> tuple[Sequence[str], Mapping[str, str]]:
        """The command that sends a signal, and what is added to its environment."""

    def _note(self, end: RankEnd) -> None:
        others = self.ends.values()
        if (
            end.status
            and end.status < 0x100
            and not end.signalled
            and all((other.status or 0) >= 0x100 for other in others)
        ):
            # One that was killed has the others fail, and they may be heard of before it.
            end = replace(end, order=min((other.order for other in others), default=0) - 1)
        known = self.ends.get(end.rank)
        if known is None or known.status is None:
            self.ends[end.rank] = end

    def _said(self) -> Iterator[str]:
        """Lines that came since the last look."""
        try:
            while data := self._log.chunk():
                for line in self._lines.feed(data):
                    yield line.decode(errors="replace")
        except VlmftError:
            return


class SlurmFamily(RemoteFamily):
    """The srun of a job.

    Args:
        launcher: srun.
        job: number of the job that this process is the batch step of.
        log: what srun prints to.
    """

    _ENDED = re.compile(r"srun: error: (\S+): tasks? (\d+(?:-\d+)?(?:,\d+(?:-\d+)?)*): (.+)")
    """How ranks ended that did not end well. A line of a rank's own begins with its number (`srun --label`)."""
    _ABORTING = (
        "srun: forcing job termination",
        "srun: Job step aborted",
        "srun: launch/slurm: _step_signal: Terminating",
    )
    """What begins a line after which ranks are killed by Slurm."""

    def __init__(self, launcher: Identity, job: str, log: Path) -> None:
        super().__init__(launcher, log)
        self._job = job
        self._aborting = False

    def _told(self, line: str) -> Iterable[tuple[int, str, int | None, bool]]:
        self._aborting |= line.startswith(self._ABORTING)
        if found := self._ENDED.match(line):
            for rank in _ranks(found[2]):
                yield rank, found[1], _status(found[3].strip()), self._aborting

    def _signalling(self, name: str) -> tuple[Sequence[str], Mapping[str, str]]:
        return slurm.signal_command(self._job, name), {}


class HostsFamily(RemoteFamily):
    """DeepSpeed's runner with pdsh below it, and a launcher of DeepSpeed's on each host.

    Args:
        launcher: the runner.
        slots: ranks by host.
        run_id: what its processes have in their environment.
        log: what they print to.
        ranks_lock: held by ranks while they live.
    """

    _ENDED = re.compile(r"(\S+): .*'--local_rank=(\d+)'.* exits with return code = (-?\d+)")

    def __init__(self, launcher: Identity, slots: Mapping[str, int], run_id: str, log: Path, ranks_lock: Path) -> None:
        super().__init__(launcher, log)
        self._slots, self._run_id, self._ranks_lock = slots, run_id, ranks_lock
        counts = list(slots.values())
        self._first = {host: sum(counts[:number]) for number, host in enumerate(slots)}
        # pdsh leaves the domain out of what it puts before a line, unless two hosts would be called the same.
        self._called = {name: host for host in slots for name in (host.partition(".")[0], host)}

    @property
    def left_behind(self) -> bool:
        """Ranks outlive a runner or a pdsh that was killed; those that have yet to take their lock, or whose lock is
        not seen from here, do not outlive a KILL to all hosts."""
        untold = self.launcher_status not in (0, None) and not self._killed
        return untold or self._seen

    @property
    def _seen(self) -> bool:
        """Whether anything but the launcher is seen to be alive."""
        return super().left_behind or held(self._ranks_lock)

    @property
    def _killed(self) -> bool:
        """Whether all hosts were sent KILL."""
        return self._sent is not None and self._sent[0] is signal.SIGKILL

    def _told(self, line: str) -> Iterable[tuple[int, str, int | None, bool]]:
        if (found := self._ENDED.match(line)) and (host := self._called.get(found[1])):
            code = int(found[3])
            yield self._first[host] + int(found[2]), host, -code if code < 0 else (code & 0xFF) << 8, False

    def _signalling(self, name: str) -> tuple[Sequence[str], Mapping[str, str]]:
        program = ("-m", "vlmft_console.runs.signal_ranks", self._run_id, name)
        return pdsh.python_on(self._slots, program), pdsh.environment()


class AdoptedHostsFamily(HostsFamily):
    """The same when its first supervisor was killed: the runner is no child of this process, and may be gone, too.

    How it ended nobody tells, so that only the log can say that no unseen rank is left to be ended. Without its word an
    unseen one is given all of the time that a TERM gives, to save a checkpoint, before a KILL to all hosts is the end.
    """

    adopted: ClassVar[bool] = True

    @property
    def over(self) -> bool:
        return not self.launcher.alive and not self._seen

    @property
    def left_behind(self) -> bool:
        untold = not self.launcher.alive and not self._killed and not self.ended_well
        return untold or self._seen

    def _members(self) -> list[Seen]:
        return sorted(of_run(self._run_id), key=lambda seen: seen.identity.start)


_EXITED = re.compile(r"Exited with exit code (\d+)")
_SIGNALS = {signal.strsignal(number): number.value for number in signal.Signals} | {"Out Of Memory": 9}


def _status(said: str) -> int | None:
    """As `waitpid` gives it; None for words of Slurm's that tell neither signal nor status."""
    if exited := _EXITED.match(said):
        return (int(exited[1]) & 0xFF) << 8
    return _SIGNALS.get(said.removesuffix(" (core dumped)"))


def _ranks(said: str) -> list[int]:
    """0, 1, 2, 5 of `0-2,5`."""
    pairs = (part.partition("-") for part in said.split(","))
    return [rank for first, _, last in pairs for rank in range(int(first), int(last or first) + 1)]
