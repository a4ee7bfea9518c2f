"""A run whose supervisor was killed gets another one, over real processes."""

from __future__ import annotations

import json
import os
import signal
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from typer.testing import CliRunner

from tests.records import record
from tests.supervised import LONG, Supervised
from vlmft_console.cli import app
from vlmft_console.errors import RunBusyError
from vlmft_console.places.place import Hosts, Place
from vlmft_console.runs.family import RankEnd
from vlmft_console.runs.supervisor_start import start_supervisor
from vlmft_console.runs.verdict import judge
from vlmft_core.run_folder.stop import StopRequest


def orphaned(root: Path, *options: str, launchers: bool = True, place: Place | None = None) -> Supervised:
    """A run of two ranks whose supervisor was killed, and its launchers too unless they shall live."""
    run = Supervised(root, 2, *options, place=place)
    run.wait_for_ranks()
    inner = run.inner_launcher()
    run.who("supervisor").send(signal.SIGKILL)
    if not launchers:
        run.who("launcher").send(signal.SIGKILL)
        os.kill(inner, signal.SIGKILL)
        run.wait(lambda: not run.who("launcher").alive)
    run.wait(lambda: run.status().state == "unsupervised")
    return run


def end_ranks(run: Supervised) -> None:
    for role, who in run.folder.processes().items():
        if role != "supervisor":
            who.send(signal.SIGKILL)


@pytest.mark.parametrize("launchers", [True, False])
def test_an_adopted_run_finishes(tmp_path: Path, launchers: bool) -> None:
    run = orphaned(tmp_path, *LONG, launchers=launchers)
    start_supervisor(run.folder, adopt=True)
    assert run.status().state == "running"
    assert run.who("supervisor").alive
    run.finish()
    end = run.wait_for_end()
    assert (end["status"], end["exit_code"]) == ("finished", 0)
    assert end["reason"] == "adopted after its supervisor was killed"


@pytest.fixture
def over_hosts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[Supervised, Path]:
    """A run over hosts, of which this is one: supervisor and runner were killed, and locks are not seen from here. And
    what pdsh was told."""
    told = tmp_path / "told"
    pdsh = tmp_path / "bin" / "pdsh"
    pdsh.parent.mkdir()
    pdsh.write_text(f'#!/bin/sh\necho "$*" >>"{told}"\n')
    pdsh.chmod(0o700)
    monkeypatch.setenv("PATH", str(pdsh.parent), prepend=os.pathsep)
    run = orphaned(tmp_path, *LONG, launchers=False, place=Hosts({"n1": 2}))
    run.folder.ranks_lock.unlink()
    return run, told


def test_ranks_of_this_very_host_are_adopted_where_the_runner_is_gone_and_no_lock_is_seen(
    over_hosts: tuple[Supervised, Path],
) -> None:
    run, told = over_hosts
    start_supervisor(run.folder, adopt=True)
    run.finish()
    assert run.wait_for_end()["status"] == "finished"
    assert not told.exists()


def test_hosts_whose_ranks_nobody_sees_are_told_to_end_them_when_an_adopted_runner_is_gone(
    over_hosts: tuple[Supervised, Path],
) -> None:
    run, told = over_hosts
    start_supervisor(run.folder, adopt=True)
    end_ranks(run)
    assert run.wait_for_end()["status"] == "crashed"
    run.wait(lambda: told.read_text().splitlines()[-1].endswith("KILL"))


def test_an_adopted_run_is_stopped_at_a_step_boundary(tmp_path: Path) -> None:
    run = orphaned(tmp_path, *LONG)
    start_supervisor(run.folder, adopt=True)
    StopRequest("a test").write(run.folder)
    end = run.wait_for_end()
    assert (end["status"], end["exit_code"]) == ("stopped", 130)
    assert end["reason"] == "adopted after its supervisor was killed; asked to"


def test_adopted_ranks_that_do_not_listen_are_killed(tmp_path: Path) -> None:
    run = orphaned(tmp_path, *LONG, "--deaf")
    start_supervisor(run.folder, adopt=True)
    StopRequest("a test", now=True).write(run.folder)
    end = run.wait_for_end()
    assert (end["status"], end["survivors"]) == ("stopped", [])
    assert "ended at once by a test; there is no checkpoint to resume from" in end["reason"]


@pytest.mark.parametrize("launchers", [True, False])
def test_a_rank_killed_after_the_adoption_is_a_failure_and_ends_the_others(tmp_path: Path, launchers: bool) -> None:
    run = orphaned(tmp_path, *LONG, "--deaf", launchers=launchers)
    start_supervisor(run.folder, adopt=True)
    run.who("rank 1").send(signal.SIGKILL)
    end = run.wait_for_end()
    assert (end["status"], end["exit_code"]) == ("crashed", 1)
    assert end["reason"].startswith("adopted after its supervisor was killed; rank 1 ")
    assert "no run_end" in end["reason"]


def test_a_rank_that_died_before_the_adoption_is_noticed(tmp_path: Path) -> None:
    run = orphaned(tmp_path, *LONG, "--deaf", launchers=False)
    run.who("rank 0").send(signal.SIGKILL)
    run.wait(lambda: not run.who("rank 0").alive)
    start_supervisor(run.folder, adopt=True)
    end = run.wait_for_end()
    assert end["status"] == "crashed"
    assert "rank 0 " in end["reason"]


def test_adopted_ranks_that_wait_for_others_which_nobody_can_start_any_more_are_ended(tmp_path: Path) -> None:
    run = Supervised(tmp_path, 3, *LONG, "--fork-s=600")
    run.wait(lambda: "rank 0" in run.folder.processes())
    inner = run.inner_launcher()
    for role in ("supervisor", "launcher"):
        run.who(role).send(signal.SIGKILL)
    os.kill(inner, signal.SIGKILL)
    run.wait(lambda: run.status().state == "unsupervised")
    start_supervisor(run.folder, adopt=True)
    end = run.wait_for_end()
    assert (end["status"], end["exit_code"], end["survivors"]) == ("failed", 1, [])
    assert "2 ranks never seen" in end["reason"]


def test_a_run_that_has_ended_in_the_meantime_gets_its_verdict(tmp_path: Path) -> None:
    run = orphaned(tmp_path, *LONG)
    run.finish()
    run.wait(lambda: run.status().state == "finished")
    start_supervisor(run.folder, adopt=True)
    assert run.wait_for_end()["status"] == "finished"


def test_an_adopted_run_can_be_adopted_again(tmp_path: Path) -> None:
    run = orphaned(tmp_path, *LONG)
    start_supervisor(run.folder, adopt=True)
    run.who("supervisor").send(signal.SIGKILL)
    run.wait(lambda: run.status().state == "unsupervised")
    start_supervisor(run.folder, adopt=True)
    run.finish()
    assert run.wait_for_end()["status"] == "finished"


def test_a_run_with_a_supervisor_is_not_adopted(tmp_path: Path) -> None:
    run = Supervised(tmp_path, 1, *LONG)
    run.wait_for_ranks()
    with pytest.raises(RunBusyError, match=str(run.who("supervisor").pid)):
        start_supervisor(run.folder, adopt=True)
    StopRequest("the test is over", now=True).write(run.folder)
    run.wait_for_end()
    with pytest.raises(RunBusyError, match="nothing to adopt"):
        start_supervisor(run.folder, adopt=True)


@pytest.mark.parametrize("launchers", [True, False])
def test_living_ranks_that_nobody_wrote_down_are_found_by_the_runs_id_and_adopted(
    tmp_path: Path, launchers: bool
) -> None:
    run = orphaned(tmp_path, *LONG, launchers=launchers)
    file = run.folder.path / "proc.json"
    file.write_text(json.dumps({**json.loads(file.read_text()), "ranks": {}}))
    start_supervisor(run.folder, adopt=True)
    run.wait_for_ranks()
    run.finish()
    assert run.wait_for_end()["status"] == "finished"


def test_living_ranks_that_cannot_be_found_are_not_adopted(tmp_path: Path) -> None:
    run = orphaned(tmp_path, *LONG, launchers=False)
    for name, changed in (("proc.json", {"ranks": {}}), ("run.json", {"run_id": "another"})):
        file = run.folder.path / name
        known = json.loads(file.read_text())
        file.write_text(json.dumps(known | changed))
        if name == "proc.json":
            before = known
    with pytest.raises(RunBusyError, match="does not name"):
        start_supervisor(run.folder, adopt=True)
    (run.folder.path / "proc.json").write_text(json.dumps(before))
    end_ranks(run)


def test_the_last_word_of_an_earlier_start_is_not_believed(tmp_path: Path) -> None:
    run = orphaned(tmp_path, *LONG, "--deaf")
    file = run.folder.path / "proc.json"
    file.write_text(json.dumps({**json.loads(file.read_text()), "segment": 2}))
    with run.folder.events_file(1).open("a") as log:
        log.write(json.dumps(record("run_end", status="finished", reason="")) + "\n")
    start_supervisor(run.folder, adopt=True)
    end_ranks(run)
    assert run.wait_for_end()["status"] == "crashed"


def test_resume_adopts_an_unsupervised_run_and_follows_it(tmp_path: Path) -> None:
    run = orphaned(tmp_path, *LONG)
    with ThreadPoolExecutor() as pool:
        finishing = pool.submit(lambda: (run.wait(lambda: run.who("supervisor").alive), run.finish()))
        result = CliRunner().invoke(app, ["resume", str(run.folder.path)])
        finishing.result()
    assert result.exit_code == 0, result.output
    assert "run finished after" in result.output
    assert "adopted after its supervisor was killed" in result.output


def test_resume_can_adopt_and_leave(tmp_path: Path) -> None:
    run = orphaned(tmp_path, *LONG)
    result = CliRunner().invoke(app, ["resume", str(run.folder.path), "--detach"])
    assert result.output == "run has a supervisor again\n"
    run.finish()
    assert run.wait_for_end()["status"] == "finished"


def test_a_good_last_word_does_not_hide_a_rank_seen_to_be_killed_or_somebody_alive() -> None:
    good = record("run_end", status="finished", reason="")
    unseen, killed = RankEnd(1, 0, None, False), RankEnd(1, 0, signal.SIGKILL, False)
    assert judge(good, None, [unseen], adopted=True).status == "finished"
    assert judge(good, None, [killed], adopted=True).status == "failed"
    assert judge(good, None, [unseen], [123], adopted=True).status == "failed"
    assert "rank 1 ended, how is not known" in judge(None, None, [unseen], adopted=True).reason
