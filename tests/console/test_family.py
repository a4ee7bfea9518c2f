"""Process family: how a rank ended is known, whoever reaps it."""

from __future__ import annotations

import os
import signal
import time

import pytest

from vlmft_console.runs import processes
from vlmft_console.runs.family import Family, RankEnd
from vlmft_console.runs.processes import Identity, RankInfo

LAUNCHER, RANKS = Identity(10, 1, "boot"), {0: Identity(20, 1, "boot"), 1: Identity(21, 1, "boot")}


def test_a_rank_that_vanished_first_and_is_reaped_later_died_of_what_the_reaping_tells(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(processes, "look", lambda pid: None)
    family = Family(LAUNCHER, RANKS)
    monkeypatch.setattr(os, "waitpid", lambda pid, options: (0, 0))
    family.observe(signalled=False)
    assert family.ends == {0: RankEnd(0, 0, None, False), 1: RankEnd(1, 1, None, False)}
    reaped = [(21, signal.SIGKILL), (10, 256)]
    monkeypatch.setattr(os, "waitpid", lambda pid, options: reaped.pop(0) if reaped else (0, 0))
    family.observe(signalled=True)
    assert family.ends == {0: RankEnd(0, 0, None, False), 1: RankEnd(1, 1, signal.SIGKILL, False)}
    assert family.launcher_status == 256


def test_the_first_status_of_a_rank_stays(monkeypatch: pytest.MonkeyPatch) -> None:
    zombie = processes.Seen(RANKS[0], 1, zombie=True, exit_status=signal.SIGSEGV)
    monkeypatch.setattr(processes, "look", lambda pid: zombie if pid == 20 else None)
    reaped = [(20, 0)]
    monkeypatch.setattr(os, "waitpid", lambda pid, options: reaped.pop(0) if reaped else (0, 0))
    family = Family(LAUNCHER, {0: RANKS[0]})
    family.observe(signalled=False)
    assert family.ends == {0: RankEnd(0, 0, signal.SIGSEGV, False)}


@pytest.mark.parametrize(
    ("told", "here"),
    [
        (RankInfo(1, 4, 1, 2), [0, 1]),
        (RankInfo(2, 4, 0, 2), [2, 3]),
        (RankInfo(1, 4), [0, 1, 2, 3]),
        (RankInfo(1, 4, 2, 2), [0, 1, 2, 3]),
        (RankInfo(3, 4, 0, 9), [0, 1, 2, 3]),
        (RankInfo(0, None), []),
    ],
    ids=["first host", "second host", "hosts not told", "before the first", "more than there are", "alone"],
)
def test_ranks_of_other_hosts_are_not_expected_here(told: RankInfo, here: list[int]) -> None:
    assert list(told.on_its_host) == here


class Watched:
    """A family of which a member is found now and then, at a time that the test sets."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.now, self.scans, self.members = 1000.0, 0, list[processes.Seen]()
        monkeypatch.setattr(time, "monotonic", lambda: self.now)
        monkeypatch.setattr(processes, "look", lambda pid: processes.Seen(Identity(pid, 1, "boot"), 10, False, 0))
        monkeypatch.setattr(processes, "rank_info", lambda pid: RankInfo(pid - 20, 4, pid - 20, 2))
        monkeypatch.setattr(processes, "descendants", self._scanned)
        monkeypatch.setattr(os, "waitpid", lambda pid, options: (0, 0))
        self.family = Family(LAUNCHER, {})

    def _scanned(self, *_: int) -> list[processes.Seen]:
        self.scans += 1
        return self.members

    def scans_in(self, seconds: int) -> int:
        before = self.scans
        for _ in range(5 * seconds):
            self.now += 0.2
            self.family.observe(signalled=False)
        return self.scans - before


def test_ranks_that_never_come_are_not_looked_for_all_the_time(monkeypatch: pytest.MonkeyPatch) -> None:
    watched = Watched(monkeypatch)
    assert watched.scans_in(50) == 250
    watched.scans_in(20)
    assert watched.scans_in(100) <= 20
    watched.members = [processes.Seen(RANKS[0], 10, False, 0)]
    watched.scans_in(6)
    assert watched.family.ranks == {0: RANKS[0]}
    assert watched.family.unseen == [1]
    assert watched.scans_in(10) == 50


def test_with_all_ranks_of_its_own_host_a_family_is_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    watched = Watched(monkeypatch)
    watched.members = [processes.Seen(identity, 10, False, 0) for identity in RANKS.values()]
    watched.scans_in(1)
    assert watched.family.unseen == []
    assert watched.scans_in(50) <= 10
