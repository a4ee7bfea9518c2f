"""Process family: how a rank ended is known, whoever reaps it."""

from __future__ import annotations

import os
import signal

import pytest

from vlmft_console.runs import processes
from vlmft_console.runs.family import Family, RankEnd
from vlmft_console.runs.processes import Identity

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
