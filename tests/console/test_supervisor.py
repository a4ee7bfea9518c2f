"""The supervisor over real processes: stand-ins with DeepSpeed's manners, really signalled and killed."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.supervised import LONG, Supervised
from vlmft_console.errors import RunBusyError
from vlmft_console.runs.folder import Command, RunFolder
from vlmft_console.runs.locks import held
from vlmft_console.runs.processes import Identity
from vlmft_console.runs.status import RunStatus
from vlmft_console.runs.supervisor_start import start_supervisor
from vlmft_core.run_folder.stop import StopRequest


def test_a_run_that_finishes_is_finished(tmp_path: Path) -> None:
    run = Supervised(tmp_path, 2)
    assert run.wait_for_end()["status"] == "finished"
    assert run.status() == RunStatus("finished", "", 0)


def test_a_stop_is_asked_for_and_granted_at_a_step_boundary(tmp_path: Path) -> None:
    run = Supervised(tmp_path, 2, *LONG)
    run.wait_for_ranks()
    StopRequest("a test").write(run.folder)
    end = run.wait_for_end()
    assert (end["status"], end["exit_code"], end["reason"]) == ("stopped", 130, "asked to")


def test_a_run_whose_resume_is_refused_stays_what_it_was(tmp_path: Path) -> None:
    run = Supervised(tmp_path, 1, *LONG)
    run.wait_for_ranks()
    StopRequest("a test").write(run.folder)
    assert run.wait_for_end()["status"] == "stopped"
    (run.folder.path / "refuse").touch()
    for _ in range(2):
        start_supervisor(run.folder)
        run.wait(lambda: not held(run.folder.lock))
        assert run.status().state == "stopped"
        assert run.status().reason.startswith("not resumed: the training program refused to start")
        assert run.status().exit_code == 2
    (run.folder.path / "refuse").unlink()
    (run.folder.path / "enough").touch()
    start_supervisor(run.folder)
    run.wait(lambda: run.status().state == "finished")


def test_ranks_that_do_not_listen_are_killed_when_the_patience_is_over(tmp_path: Path) -> None:
    run = Supervised(tmp_path, 2, *LONG, "--deaf")
    run.wait_for_ranks()
    StopRequest("a test", patience=-57.0).write(run.folder)
    assert run.status().state == "stopping"
    end = run.wait_for_end()
    assert end["status"] == "stopped"
    assert "there is no checkpoint to resume from" in end["reason"]


def test_a_term_to_the_supervisor_is_a_wish_to_stop(tmp_path: Path) -> None:
    run = Supervised(tmp_path, 2, *LONG)
    run.wait_for_ranks()
    run.who("supervisor").send(signal.SIGTERM)
    assert run.wait_for_end()["status"] == "stopped"


def test_a_hangup_changes_nothing(tmp_path: Path) -> None:
    run = Supervised(tmp_path, 2, *LONG)
    run.wait_for_ranks()
    run.who("supervisor").send(signal.SIGHUP)
    run.finish()
    assert run.wait_for_end()["status"] == "finished"


@pytest.mark.parametrize("rank", [0, 1])
def test_a_killed_rank_is_named_with_its_signal(tmp_path: Path, rank: int) -> None:
    run = Supervised(tmp_path, 2, *LONG)
    run.wait_for_ranks()
    run.who(f"rank {rank}").send(signal.SIGKILL)
    end = run.wait_for_end()
    assert end["status"] in ("crashed", "failed")  # rank 0 may have found the time for a last word
    assert f"rank {rank} was killed by SIGKILL" in end["reason"]


def test_ranks_that_ignore_term_are_killed_after_another_rank_died(tmp_path: Path) -> None:
    run = Supervised(tmp_path, 3, *LONG, "--deaf")
    run.wait_for_ranks()
    run.who("rank 2").send(signal.SIGSEGV)
    assert "rank 2 was killed by SIGSEGV" in run.wait_for_end()["reason"]


def test_a_killed_runner_is_a_crash_and_leaves_nothing_behind(tmp_path: Path) -> None:
    run = Supervised(tmp_path, 2, *LONG)
    run.wait_for_ranks()
    run.who("launcher").send(signal.SIGKILL)
    end = run.wait_for_end()
    assert end["status"] in ("crashed", "failed")
    assert "SIGKILL" in end["reason"]


def test_a_killed_launcher_is_no_success_though_the_runner_exits_with_0(tmp_path: Path) -> None:
    run = Supervised(tmp_path, 2, *LONG)
    run.wait_for_ranks()
    os.kill(run.inner_launcher(), signal.SIGKILL)
    end = run.wait_for_end()
    assert end["exit_code"] != 0
    assert "left ranks behind" in end["reason"]


def test_a_killed_launcher_is_noticed_before_its_runner_ends(tmp_path: Path) -> None:
    run = Supervised(tmp_path, 2, *LONG)
    run.wait_for_ranks()
    inner = run.inner_launcher()
    run.who("launcher").send(signal.SIGSTOP)
    os.kill(inner, signal.SIGKILL)
    end = run.wait_for_end()
    assert (end["status"], end["exit_code"]) == ("failed", 1)
    assert "it left ranks behind" in end["reason"]


def test_a_killed_supervisor_leaves_an_unsupervised_run_that_refuses_a_second_start(tmp_path: Path) -> None:
    run = Supervised(tmp_path, 2, *LONG)
    run.wait_for_ranks()
    ranks = [run.who("rank 0"), run.who("rank 1")]
    run.who("supervisor").send(signal.SIGKILL)
    run.wait(lambda: run.status().state == "unsupervised")
    assert "rank 0" in run.status().reason
    with pytest.raises(RunBusyError, match="rank 1"):
        start_supervisor(run.folder)
    for rank in ranks:
        rank.send(signal.SIGKILL)
    run.wait(lambda: run.status().state == "crashed")


def test_a_second_supervisor_is_refused_and_names_the_first(tmp_path: Path) -> None:
    run = Supervised(tmp_path, 1, *LONG)
    with pytest.raises(RunBusyError, match=str(run.who("supervisor").pid)):
        start_supervisor(run.folder)
    StopRequest("the test is over", now=True).write(run.folder)
    run.wait_for_end()


def test_a_run_of_another_boot_is_lost(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run = Supervised(tmp_path, 1, *LONG)
    run.wait_for_ranks()
    rank = run.who("rank 0")
    run.who("supervisor").send(signal.SIGKILL)
    rank.send(signal.SIGKILL)
    run.wait(lambda: run.status().state == "crashed")
    file = run.folder.path / "proc.json"
    file.write_text(file.read_text().replace(rank.boot_id, "00000000-0000-0000-0000-000000000000"))
    monkeypatch.setattr(time, "clock_gettime", lambda clock: 0.0)  # the machine was started just now
    assert run.status() == RunStatus("lost", "the machine was restarted", 1)


def test_a_program_that_is_not_there_is_said_at_once(tmp_path: Path) -> None:
    folder = RunFolder.create(tmp_path, "run")
    folder.write_run(preset_name="test", preset_text="{}\n", command=Command(("/nonexistent/deepspeed",), {}))
    with pytest.raises(Exception, match="No such file"):
        start_supervisor(folder)


def test_the_supervisor_holds_no_terminal_and_no_pipe(tmp_path: Path) -> None:
    run = Supervised(tmp_path, 1, *LONG)
    run.wait_for_ranks()
    for role in ("supervisor", "launcher", "rank 0"):
        pid = run.who(role).pid
        for descriptor in ("0", "1", "2"):
            target = str(Path(f"/proc/{pid}/fd/{descriptor}").readlink())
            assert target == "/dev/null" or target.startswith(str(run.folder.logs))
        assert os.getsid(pid) != os.getsid(0)
    StopRequest("the test is over", now=True).write(run.folder)
    run.wait_for_end()


def test_a_pid_that_belongs_to_somebody_else_by_now_is_not_signalled() -> None:
    other = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"])
    try:
        real = next(i for i in [Identity.from_json({"pid": other.pid, "start": 1, "boot_id": "x"})] if i)
        assert not real.alive
        assert not real.send(signal.SIGKILL)
        assert other.poll() is None
    finally:
        other.kill()
        other.wait()
