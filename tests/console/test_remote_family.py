"""What srun and DeepSpeed's launchers say of the ends of ranks, beside what the ranks print themselves."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from vlmft_console.runs import processes
from vlmft_console.runs.locks import acquire
from vlmft_console.runs.processes import Identity
from vlmft_console.runs.remote_family import AdoptedHostsFamily, HostsFamily, SlurmFamily

NOBODY = Identity(2**30, 1, "another boot")
KILLED = """\
0: step 4
1: srun: error: n9: task 9: Killed
srun: error: n2: task 1: Killed
srun: launch/slurm: _step_signal: Terminating StepId=6.0
0: slurmstepd-n1: error: *** STEP 6.0 ON n1 CANCELLED AT 2026-11-30T05:49:40 ***
srun: error: n1: tasks 0,2-3: Terminated
"""
LAUNCH = (
    "[2026-11-30 06:44:31,065] [ERROR] [launch.py:259:sigkill_handler] ['python', '-m', 'x', '--local_rank={}', '--y']"
)


@pytest.fixture
def log(tmp_path: Path) -> Path:
    return tmp_path / "log"


def srun(log: Path, text: str) -> SlurmFamily:
    log.write_text(text)
    family = SlurmFamily(NOBODY, "6", log)
    family.observe(signalled=False)
    return family


def deepspeed(log: Path, *ends: tuple[str, int, int], hosts: tuple[str, str] = ("n1", "n2")) -> HostsFamily:
    log.write_text(
        "".join(f"{host}: {LAUNCH.format(local)} exits with return code = {code}\n" for host, local, code in ends)
    )
    family = HostsFamily(NOBODY, dict(zip(hosts, (2, 3), strict=True)), "0" * 32, log, log.with_name("ranks.lock"))
    family.observe(signalled=False)
    return family


def test_the_first_rank_that_was_killed_is_told_from_those_killed_for_it(log: Path) -> None:
    ends = srun(log, KILLED).ends
    assert {rank: (end.host, end.status, end.signalled) for rank, end in ends.items()} == {
        1: ("n2", signal.SIGKILL, False),
        0: ("n1", signal.SIGTERM, True),
        2: ("n1", signal.SIGTERM, True),
        3: ("n1", signal.SIGTERM, True),
    }
    assert min(ends.values(), key=lambda end: end.order).rank == 1


def test_an_exit_status_and_a_full_memory_are_understood(log: Path) -> None:
    text = "srun: error: n1: task 0: Exited with exit code 2\nsrun: error: n2: task 1: Out Of Memory\n"
    text += "srun: error: n2: task 2: Segmentation fault (core dumped)\nsrun: error: n2: task 3: Vanished\n"
    text += "srun: error: n3: task x: Killed\nsrun: error: n3: task 4: Ki"
    ends = srun(log, text).ends
    assert os.waitstatus_to_exitcode(ends[0].status or 0) == 2
    assert (ends[1].status, ends[2].status, ends[3].status) == (signal.SIGKILL, signal.SIGSEGV, None)
    assert 4 not in ends


def test_a_log_that_is_gone_or_no_file_says_nothing(log: Path) -> None:
    family = srun(log, "")
    log.unlink()
    family.observe(signalled=False)
    log.mkdir()
    family.observe(signalled=False)
    assert not family.ends


def test_ranks_of_deepspeed_hosts_are_counted_through(log: Path) -> None:
    ends = deepspeed(log, ("n2", 1, -9), ("n1", 1, 2), ("n3", 0, -9)).ends
    assert {rank: (end.host, end.status) for rank, end in ends.items()} == {3: ("n2", 9), 1: ("n1", 2 << 8)}


@pytest.mark.parametrize(
    ("hosts", "called"),
    [
        (("n1.lab.net", "n2.lab.net"), "n2"),
        (("n1", "n2.lab.net"), "n2"),
        (("n.lab.net", "n.home.net"), "n.home.net"),
        (("10.0.0.1", "10.0.0.2"), "10.0.0.2"),
    ],
)
def test_a_rank_on_a_host_of_which_pdsh_leaves_the_domain_out_is_the_hosts(
    log: Path, hosts: tuple[str, str], called: str
) -> None:
    ends = deepspeed(log, (called, 1, -9), hosts=hosts).ends
    assert {rank: (end.host, end.status) for rank, end in ends.items()} == {3: (hosts[1], 9)}


def test_a_kill_that_could_not_be_sent_is_sent_again(log: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    family = deepspeed(log)
    family.launcher_status = signal.SIGKILL
    monkeypatch.setattr(family, "_signalling", lambda name: (["/no/such/program"], {}))
    family.signal_ranks(signal.SIGKILL)
    assert family.left_behind
    monkeypatch.setattr(family, "_signalling", lambda name: (["true"], {}))
    family.signal_ranks(signal.SIGKILL)
    assert not family.left_behind


def test_a_rank_that_was_killed_comes_before_those_that_failed_for_it(log: Path) -> None:
    ends = deepspeed(log, ("n1", 0, 1), ("n2", 0, -9)).ends
    assert min(ends.values(), key=lambda end: end.order).rank == 2


def test_ranks_that_outlive_their_launcher_are_known_by_their_lock(log: Path) -> None:
    family = deepspeed(log)
    assert not family.left_behind
    lock = acquire(log.with_name("ranks.lock"))
    assert lock is not None
    assert family.left_behind
    os.close(lock)


def test_ranks_of_a_launcher_that_failed_are_left_behind_until_every_host_was_told_to_end_them(
    log: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    family = deepspeed(log)
    monkeypatch.setattr(family, "_signalling", lambda name: (["true"], {}))
    family.launcher_status = signal.SIGKILL
    assert family.left_behind
    family.signal_ranks(signal.SIGTERM)
    assert family.left_behind
    family.signal_ranks(signal.SIGKILL)
    assert not family.left_behind


def test_ranks_of_an_adopted_launcher_that_is_gone_are_left_behind_until_told_or_the_log_says_that_they_ended(
    log: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def adopted() -> AdoptedHostsFamily:
        return AdoptedHostsFamily(NOBODY, {"n1": 2, "n2": 3}, "0" * 32, log, log.with_name("ranks.lock"))

    family = adopted()
    monkeypatch.setattr(family, "_signalling", lambda name: (["true"], {}))
    assert family.over
    assert family.left_behind
    family.signal_ranks(signal.SIGKILL)
    assert not family.left_behind
    family = adopted()
    family.ended_well = True
    assert not family.left_behind


def wait_until(condition: Callable[[], object]) -> None:
    deadline = time.monotonic() + 120
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def test_what_signals_other_hosts_is_not_killed_with_the_run(log: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    family = deepspeed(log)
    monkeypatch.setattr(family, "_signalling", lambda name: (["sh", "-c", "sleep 60 & wait"], {}))
    family.signal_ranks(signal.SIGKILL)
    (sender,) = family.strangers
    wait_until(lambda: processes.descendants(sender))
    family.observe(signalled=True)
    assert not family.living()
    for pid in [*(seen.identity.pid for seen in processes.descendants(sender)), sender]:
        os.kill(pid, signal.SIGKILL)
    wait_until(lambda: family.observe(signalled=True) or not family.strangers)
