"""Faults made for real: consoles, supervisors, launchers and ranks killed, again and again, at random moments.

A few rounds of each run with the suite; `make soak` runs them all.
"""

from __future__ import annotations

import json
import os
import pty
import random
import select
import signal
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.command_line import vlmft
from tests.supervised import LONG, Supervised, make_run
from vlmft_console.runs.processes import Identity, of_run, rank_info
from vlmft_core.errors import EXIT_BUSY
from vlmft_core.run_folder import events
from vlmft_core.run_folder.events import EventWriter, parse
from vlmft_core.run_folder.stop import StopRequest

pytestmark = pytest.mark.apart

CONSOLE = Path(__file__).parents[1] / "standin_console.py"
STEPS = ("--steps=30", "--step-s=0.05")


def _kill_console(root: Path, number: int, how: str, after: float) -> None:
    """A console in a terminal of its own, killed; the run must finish all the same."""
    folder = make_run(root, f"run{number}", 2, *STEPS)
    console, terminal = pty.fork()
    if console == 0:
        os.execv(sys.executable, [sys.executable, str(CONSOLE), str(folder.path)])
    deadline = time.monotonic() + 180
    while "launcher" not in folder.processes():
        assert time.monotonic() < deadline
        time.sleep(0.02)
    until = time.monotonic() + after
    while time.monotonic() < until:
        if select.select([terminal], [], [], 0.02)[0]:
            try:
                os.read(terminal, 65536)
            except OSError:
                break
    if how == "closed":
        os.close(terminal)
    else:
        os.kill(console, getattr(signal, how))
    os.waitpid(console, 0)
    while not folder.exit_file.exists():
        assert time.monotonic() < deadline, f"{how} after {after:.2f} s"
        time.sleep(0.05)
    end = json.loads(folder.exit_file.read_text())
    assert (end["status"], end["exit_code"]) == ("finished", 0), f"{how} after {after:.2f} s: {end}"
    if how != "closed":
        os.close(terminal)


def test_a_console_killed_at_any_moment_does_not_matter_to_its_run(tmp_path: Path, rounds: int) -> None:
    chance = random.Random(1)
    plan = [(number, ("SIGKILL", "SIGHUP", "SIGTERM", "closed")[number % 4], chance.uniform(0, 2.0))
            for number in range(max(4, rounds))]  # fmt: skip
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda each: _kill_console(tmp_path, *each), plan))


def test_whoever_is_killed_no_failure_is_called_a_success(tmp_path: Path, rounds: int) -> None:
    chance = random.Random(2)
    for number in range(max(5, rounds * 40 // 100)):
        victim = ("rank 0", "rank 1", "launcher", "inner launcher", "supervisor")[number % 5]
        run = Supervised(tmp_path, 2, *LONG, "--step-s=0.02", name=f"run{number}")
        run.wait_for_ranks()
        ranks = [run.who("rank 0"), run.who("rank 1")]
        time.sleep(chance.uniform(0, 0.5))
        if victim == "inner launcher":
            os.kill(run.inner_launcher(), signal.SIGKILL)
        else:
            run.who(victim).send(signal.SIGKILL)
        if victim == "supervisor":
            run.wait(lambda run=run: run.status().state == "unsupervised")
            assert "rank 0" in run.status().reason
            for rank in ranks:
                rank.send(signal.SIGKILL)
            run.wait(lambda run=run: run.status().state == "crashed")
            continue
        end = run.wait_for_end()
        assert end["status"] in ("crashed", "failed"), (victim, end)
        assert end["exit_code"] == 1, (victim, end)
        assert not any(rank.alive for rank in ranks)
        if victim.startswith("rank"):
            assert f"{victim} was killed by SIGKILL" in end["reason"]


def ranks_of(run: Supervised) -> list[Identity]:
    """Those that have begun."""
    started = [one.identity for one in of_run(run.folder.run_id)]
    return [who for who in started if rank_info(who.pid).rank is not None]


def test_a_run_of_two_seconds_whose_rank_is_killed_is_no_success_though_its_launcher_cannot_tell(
    tmp_path: Path, rounds: int
) -> None:
    chance = random.Random(4)
    for number in range(max(3, rounds // 2)):
        run = Supervised(tmp_path, 8, "--fork-s=0.05", "--steps=40", name=f"run{number}")
        run.wait(lambda run=run: ranks_of(run))
        inner = run.inner_launcher()
        time.sleep(chance.uniform(0, 0.6))
        ranks = ranks_of(run)
        os.kill(inner, signal.SIGKILL)
        killed = chance.choice(ranks).send(signal.SIGKILL)
        end = run.wait_for_end()
        assert end["exit_code"] != 0 or not killed, end


WRITER = """
import sys
from pathlib import Path
from vlmft_core.run_folder.events import EventWriter
log = EventWriter(Path(sys.argv[1]))
number = 0
while True:
    log.write("note", message=str(number) + "x" * (number % 300))
    print(number, flush=True)
    number += 1
"""


def test_a_killed_writer_loses_no_event_that_it_acknowledged(tmp_path: Path, rounds: int) -> None:
    chance = random.Random(3)
    acknowledged = accepted = 0
    for number in range(max(5, 2 * rounds)):
        log = tmp_path / f"{number}.jsonl"
        writer = subprocess.Popen([sys.executable, "-c", WRITER, str(log)], stdout=subprocess.PIPE)
        assert writer.stdout is not None
        first = writer.stdout.readline()
        time.sleep(chance.uniform(0, 0.05))
        writer.kill()
        last = len((first + writer.stdout.read()).split(b"\n")) - 2  # the last line may be torn
        writer.wait()
        written = [parse(line) for line in log.read_bytes().split(b"\n")[:-1]]
        assert [record["seq"] for record in written] == list(range(len(written)))
        assert len(written) > last
        acknowledged += last + 1
        accepted += len(written)
    assert accepted >= acknowledged > 0


def test_eight_ranks_that_save_for_long_are_stopped_together(tmp_path: Path) -> None:
    run = Supervised(tmp_path, 8, *LONG, "--save-s=3", "--together")
    run.wait_for_ranks()
    StopRequest("a test").write(run.folder)
    assert run.wait_for_end()["status"] == "stopped"
    saved = [file.stat().st_mtime for file in run.folder.path.glob("done-*")]
    assert len(saved) == 8
    assert max(saved) - min(saved) < 3 * 7  # as long as they would take one after another


def test_of_many_starts_at_once_exactly_one_wins(tmp_path: Path, rounds: int) -> None:
    for number in range(max(3, rounds)):
        folder = make_run(tmp_path, f"run{number}", 1, *LONG)
        argv = [sys.executable, "-m", "vlmft_console.runs.supervisor", str(folder.path)]
        both = [subprocess.Popen(argv, stderr=subprocess.PIPE, text=True) for _ in range(2)]
        deadline = time.monotonic() + 120
        while all(each.poll() is None for each in both):
            assert time.monotonic() < deadline
            time.sleep(0.02)
        loser, winner = sorted(both, key=lambda each: each.poll() is None)
        assert loser.returncode == EXIT_BUSY
        assert loser.stderr is not None
        assert "run by another supervisor" in loser.stderr.read()
        assert winner.poll() is None
        StopRequest("the test is over", now=True).write(folder)
        assert winner.wait(120) in (1, 130)
        for each in both:
            assert each.stderr is not None
            each.stderr.close()


def test_attaching_to_a_hundred_thousand_steps_shows_them_all(tmp_path: Path) -> None:
    run = Supervised(tmp_path, 1, *LONG)
    run.wait_for_ranks()
    rank = run.who("rank 0")
    rank.send(signal.SIGSTOP)
    log = EventWriter(run.folder.events_file())
    for step in range(1, 100_001):
        log.write(events.STEP, step=step, epoch=step / 1e5, loss=1 / step, lr=1e-4, grad_norm=0.5)
    log.close()
    assert rank_info(rank.pid).rank == 0
    assert "100,000 of 100000" in vlmft("status", str(run.folder.path), code=0).stdout
    rank.send(signal.SIGCONT)
    StopRequest("the test is over", now=True).write(run.folder)
    run.wait_for_end()
