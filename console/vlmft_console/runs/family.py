"""Process family: all processes of one start of a run, the launcher, the ranks, and whatever else they started."""

from __future__ import annotations

import contextlib
import os
import select
import signal
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import ClassVar

from vlmft_console.runs import processes
from vlmft_console.runs.processes import Identity, Seen
from vlmft_core.durable import open_own

RESCAN_SECONDS = 5.0
"""How often all processes of the machine are looked through once every rank is known, or none of those still missing
has come for `EXPECTED_SECONDS`; until then each time."""
EXPECTED_SECONDS = 60.0
"""How long after the last rank another one is looked for each time. Those of other hosts never come, and Slurm's, which
are not below this process, neither."""


@dataclass(frozen=True)
class RankEnd:
    """How one rank ended.

    Attributes:
        rank: its number.
        order: 0 for the first rank that ended.
        status: as `waitpid` gives it; None when somebody else reaped the process unseen.
        signalled: whether the supervisor had already signalled the ranks.
        host: where it was, if that was another machine.
    """

    rank: int
    order: int
    status: int | None
    signalled: bool
    host: str = ""

    @property
    def clean(self) -> bool:
        return self.status == 0


class Family:
    """The processes below the calling process, which must be their subreaper.

    Args:
        launcher: the child that started, or will start, all others.
        ranks: those known already, by number.
    """

    adopted: ClassVar[bool] = False
    """Whether somebody else's children are watched, whose exit status `waitpid` does not tell."""

    def __init__(self, launcher: Identity, ranks: Mapping[int, Identity]) -> None:
        self.launcher = launcher
        self.launcher_status: int | None = None
        """Exit status of the launcher as `waitpid` gives it, once it ended."""
        self.ranks = dict(ranks)
        self.ends: dict[int, RankEnd] = {}
        self.expected = range(0)
        """The ranks that there are to be on this host, once one of them tells."""
        self.strangers: set[int] = set()
        """Process ids of children that are none of the run's, nor is what they start."""
        self.ended_well = False
        """Whether the run's log says that the training came to a good end."""
        self._orphans: set[Identity] = set()
        self._launchers: list[Identity] = []
        """Processes that are neither ranks nor of a rank, as of the last scan."""
        self._others: list[Identity] = []
        self._scanned = -RESCAN_SECONDS
        self._news = time.monotonic()
        """When a rank came last, or the watch began."""

    @property
    def over(self) -> bool:
        """Whether nobody is left who keeps the run going: what lives now was left behind."""
        return self.launcher_status is not None

    def observe(self, *, signalled: bool) -> bool:
        """Take in who came and who went.

        Args:
            signalled: whether the supervisor has signalled the ranks; noted with those that end now.

        Returns:
            True when there are new ranks.
        """
        self._look_at_ranks(signalled)  # before reaping: a zombie still tells how it died
        self._reap(signalled)
        whole = self.ranks and not self.unseen
        late = time.monotonic() - self._news > EXPECTED_SECONDS
        settled = (whole or late) and self.launcher_status is None
        if not settled or time.monotonic() - self._scanned > RESCAN_SECONDS:
            return self._scan()
        return False

    def wait(self, seconds: float) -> None:
        """Sleep, but wake at once when a rank dies: until its launcher has reaped it, it still tells how it died."""
        poll = select.poll()
        descriptors = []
        for rank, identity in self.ranks.items():
            if rank not in self.ends:
                with contextlib.suppress(OSError):
                    descriptors.append(os.pidfd_open(identity.pid))
                    poll.register(descriptors[-1], select.POLLIN)
        poll.poll(1000 * seconds)
        for descriptor in descriptors:
            os.close(descriptor)

    @property
    def abandoned(self) -> bool:
        """Whether ranks live that lost the launcher which started them: their parent is their subreaper."""
        return any(orphan.alive for orphan in self._orphans)

    @property
    def unseen(self) -> list[int]:
        """The ranks that there should have been on this host and nobody ever saw."""
        return [rank for rank in self.expected if rank not in self.ranks]

    @property
    def left_behind(self) -> bool:
        """Whether anybody of the run is alive beside its launcher."""
        return bool(self.living())

    def living_ranks(self) -> list[Identity]:
        return [identity for identity in self.ranks.values() if identity.alive]

    def signal_ranks(self, number: signal.Signals) -> None:
        """Send a signal to every rank that lives."""
        processes.send_all(self.living_ranks(), number)

    def living(self) -> list[Identity]:
        """Every process of the run but the launcher that is alive, as of the last scan."""
        return [*self.living_ranks(), *(identity for identity in self._others if identity.alive)]

    def _look_at_ranks(self, signalled: bool) -> None:
        for rank, identity in self.ranks.items():
            if rank not in self.ends:
                seen = processes.look(identity.pid)
                if seen is None or seen.identity != identity:
                    self._note_end(rank, None, signalled)
                elif seen.zombie:
                    self._note_end(rank, seen.exit_status, signalled)
                elif seen.parent == os.getpid() and identity != self.launcher:
                    self._orphans.add(identity)

    def _reap(self, signalled: bool) -> None:
        by_pid = {identity.pid: rank for rank, identity in self.ranks.items()}
        while True:
            try:
                pid, status = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                return
            if pid == 0:
                return
            self.strangers.discard(pid)
            if pid == self.launcher.pid:
                self.launcher_status = status
            elif pid in by_pid:  # orphaned by its launcher and adopted
                self._note_end(by_pid[pid], status, signalled)

    def _note_end(self, rank: int, status: int | None, signalled: bool) -> None:
        known = self.ends.get(rank)
        if known is None:
            self.ends[rank] = RankEnd(rank, len(self.ends), status, signalled)
        elif known.status is None:
            self.ends[rank] = replace(known, status=status)

    def _members(self) -> list[Seen]:
        """Every process of the run, parents before children; the launcher and zombies may be among them."""
        members, apart = [], set(self.strangers)
        for seen in processes.descendants(os.getpid()):  # parents come first
            if apart & {seen.identity.pid, seen.parent}:
                apart.add(seen.identity.pid)
            else:
                members.append(seen)
        return members

    def _scan(self) -> bool:
        self._scanned = time.monotonic()
        family = [seen for seen in self._members() if not seen.zombie]
        ranked: set[int] = set()
        found = dict(self.ranks)
        for seen in family:  # parents come first
            told = processes.rank_info(seen.identity.pid)
            if told.rank is not None:
                ranked.add(seen.identity.pid)
                if seen.parent not in ranked:  # a rank's own children inherit its RANK
                    found.setdefault(told.rank, seen.identity)
                    self.expected = told.on_its_host or self.expected
        self._launchers = [seen.identity for seen in family if seen.identity.pid not in ranked]
        ranks = {*found.values(), self.launcher}
        self._others = [seen.identity for seen in family if seen.identity not in ranks]
        new = found != self.ranks
        if new:
            self._news = self._scanned
        self.ranks = found
        return new


def start_launcher(argv: Sequence[str], env: Mapping[str, str], log: Path) -> Identity:
    """Start a launcher, as a child of this process.

    Args:
        argv: what to start, never through a shell.
        env: the whole environment of the launcher.
        log: file that its output is appended to.

    Raises:
        OSError: the launcher cannot be started, or the log is a link or no file.
    """
    output = open_own(log, os.O_WRONLY | os.O_APPEND)
    try:
        pid = os.posix_spawn(
            argv[0],
            list(argv),
            env,
            file_actions=[
                (os.POSIX_SPAWN_OPEN, 0, os.devnull, os.O_RDONLY, 0),
                (os.POSIX_SPAWN_DUP2, output, 1),
                (os.POSIX_SPAWN_DUP2, output, 2),
            ],
            setsid=True,
        )
    finally:
        os.close(output)
    seen = processes.look(pid)
    assert seen is not None, "a child that was not waited for is there, if only as a zombie"
    return seen.identity


class AdoptedFamily(Family):
    """Known by identity: the launcher and ranks that the first supervisor wrote down, and what is below them.

    A rank still tells how it died when its launcher has not reaped it yet. How the launcher ends, nobody tells.

    Args:
        run_id: what else was started for this run belongs to it, too.
    """

    adopted: ClassVar[bool] = True

    def __init__(self, launcher: Identity, ranks: Mapping[int, Identity], run_id: str) -> None:
        super().__init__(launcher, ranks)
        self._run_id = run_id

    @property
    def over(self) -> bool:
        """Ranks go on without their launcher, and are watched one by one, so its death alone is not the end; before
        there are any, somebody else may be about to start them."""
        starting = not self.ranks and self.living()
        return not self.launcher.alive and not self.living_ranks() and not starting

    @property
    def abandoned(self) -> bool:
        """Whether ranks live that wait for others which nobody is left to start."""
        launching = any(launcher.alive for launcher in (self.launcher, *self._launchers))
        return bool(self.unseen and self.living_ranks()) and not launching

    def _members(self) -> list[Seen]:
        # What was seen once is kept: below init, where orphans go, nothing tells them from the processes of others.
        known = [who for who in (self.launcher, *self.ranks.values(), *self._others) if who.alive]
        looks = [processes.look(who.pid) for who in known]
        members = {seen.identity: seen for seen in looks if seen is not None and seen.identity in known}
        below = processes.descendants(*(identity.pid for identity in members))
        for seen in (*below, *processes.of_run(self._run_id)):
            members.setdefault(seen.identity, seen)
        return sorted(members.values(), key=lambda seen: seen.identity.start)
