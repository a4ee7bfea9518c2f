"""Whether a run lives: what is said of copies, renamed folders, other machines and half-started runs."""

from __future__ import annotations

import json
import os
import platform
import shutil
import signal
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.command_line import vlmft
from tests.file_systems import mounted, overlay
from tests.records import record
from tests.run_folders import ended_run
from tests.supervised import LONG, Supervised, make_run
from vlmft_console.errors import RunBusyError, RunFolderError
from vlmft_console.runs import processes, resuming
from vlmft_console.runs.folder import RunFolder
from vlmft_console.runs.processes import Identity, look, myself
from vlmft_console.runs.resuming import resume_run
from vlmft_console.runs.status import status_of
from vlmft_console.runs.steering import check_deletable, stop_run
from vlmft_core.errors import VlmftError
from vlmft_core.run_folder.checkpoints import seal
from vlmft_core.run_folder.stop import StopRequest


def refuse_everything(folder: RunFolder, where: str) -> None:
    """It is live for all who would change it, and each is told where to go."""
    assert status_of(folder).live
    assert where in status_of(folder).reason
    with pytest.raises(RunFolderError, match=where):
        check_deletable(folder)
    with pytest.raises(RunFolderError, match=where):
        stop_run(folder, StopRequest("a test", now=True))
    with pytest.raises(RunBusyError, match=where):
        resume_run(folder)


def change(folder: RunFolder, **values: Any) -> None:
    known = json.loads(folder.processes_file.read_text())
    folder.processes_file.write_text(json.dumps(known | values))


@pytest.mark.parametrize("supervised", [True, False])
def test_a_copy_of_a_live_run_is_no_way_to_stop_resume_or_end_it(tmp_path: Path, supervised: bool) -> None:
    run = Supervised(tmp_path, 2, *LONG, name="orig")
    run.wait_for_ranks()
    copy = RunFolder(shutil.copytree(run.folder.path, tmp_path / "copy"))
    if not supervised:
        run.who("supervisor").send(signal.SIGKILL)
        run.wait(lambda: run.status().state == "unsupervised")
    refuse_everything(copy, f"a copy of {run.folder.path}")
    assert copy.processes() == {}
    assert run.status().state == ("running" if supervised else "unsupervised")
    StopRequest("the test is over", now=True).write(run.folder)
    if not supervised:
        resume_run(run.folder)
    run.wait_for_end()
    run.wait(lambda: status_of(copy).state == "crashed")  # its supervisor ends a moment after it has said so
    check_deletable(copy)


def test_a_copy_of_a_live_run_by_hard_links_shares_its_lock_and_is_a_copy_all_the_same(tmp_path: Path) -> None:
    run = Supervised(tmp_path, 1, *LONG, name="orig")
    run.wait_for_ranks()
    copy = RunFolder(shutil.copytree(run.folder.path, tmp_path / "copy", copy_function=os.link))
    refuse_everything(copy, f"a copy of {run.folder.path}")
    assert run.status().state == "running"
    run.finish()
    assert run.wait_for_end()["status"] == "finished"


def test_a_live_run_that_was_moved_to_another_disk_is_ended_as_its_folder_says(tmp_path: Path) -> None:
    run = Supervised(tmp_path / "disk", 2, *LONG)
    run.wait_for_ranks()
    record = run.folder.process_record()
    moved = RunFolder(shutil.copytree(run.folder.path, tmp_path / "other"))
    shutil.rmtree(run.folder.path)
    refuse_everything(moved, f"ends by `kill {record.by_role['supervisor'].pid}`")
    os.kill(record.by_role["supervisor"].pid, signal.SIGTERM)
    run.wait(lambda: not any(identity.alive for identity in record.by_role.values()))
    run.wait(lambda: not processes.of_run(moved.run_id))
    assert status_of(moved).state == "crashed"
    check_deletable(moved)


@pytest.mark.parametrize("supervised", [True, False])
def test_an_end_that_somebody_put_into_the_folder_of_a_live_run_is_no_reason_to_delete_it(
    tmp_path: Path, supervised: bool
) -> None:
    run = Supervised(tmp_path, 1, *LONG)
    run.wait_for_ranks()
    if not supervised:
        run.who("supervisor").send(signal.SIGKILL)
        run.wait(lambda: run.status().state == "unsupervised")
    run.folder.exit_file.write_text('{"status": "finished", "reason": "", "exit_code": 0}')  # of a backup, say
    with pytest.raises(RunFolderError, match="stop it first" if supervised else "rank 0.* live"):
        check_deletable(run.folder)
    assert run.status().state == ("running" if supervised else "finished")
    with pytest.raises((RunBusyError, RunFolderError)):
        resume_run(run.folder)
    assert run.who("rank 0").alive
    for identity in run.folder.processes().values():
        identity.send(signal.SIGKILL)
    run.wait(lambda: not run.folder.alive())
    check_deletable(run.folder)


def test_a_run_started_from_within_another_is_none_of_its_processes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    outer = Supervised(tmp_path, 1, *LONG, name="outer")
    outer.wait_for_ranks()
    with monkeypatch.context() as inside:
        inside.setenv(processes.RUN_ID, outer.folder.run_id)
        inner = Supervised(tmp_path, 1, *LONG, name="inner")
    inner.wait_for_ranks()
    assert outer.folder.alive() == ["supervisor", "launcher", "rank 0", f"process {outer.inner_launcher()}"]
    for run in (inner, outer):
        run.finish()
        assert run.wait_for_end()["status"] == "finished"


def test_a_renamed_live_run_is_stopped_with_its_new_name(tmp_path: Path) -> None:
    run = Supervised(tmp_path, 2, *LONG, name="old")
    run.wait_for_ranks()
    run.folder.path.rename(tmp_path / "new")
    run.folder = RunFolder(tmp_path / "new")
    assert run.status().state == "running"
    with pytest.raises(RunFolderError, match="new is running"):
        check_deletable(run.folder)
    vlmft("stop", str(run.folder.path), code=0)
    assert run.wait_for_end()["reason"] == "asked to"
    assert not (tmp_path / "old").exists()


def test_a_renamed_run_without_a_supervisor_gets_one(tmp_path: Path) -> None:
    run = Supervised(tmp_path, 2, *LONG, name="old")
    run.wait_for_ranks()
    run.folder.path.rename(tmp_path / "new")
    run.folder = RunFolder(tmp_path / "new")
    run.who("supervisor").send(signal.SIGKILL)
    run.wait(lambda: run.status().state == "unsupervised")
    resume_run(run.folder)
    run.finish()
    assert run.wait_for_end()["status"] == "finished"


THERE = Identity(7, 7, "00000000-0000-0000-0000-000000000000")
"""A process of another machine, or of this one before it was started again."""


def run_of_another_machine(root: Path, seconds: float, host: str = "n1") -> RunFolder:
    """One that nothing was heard of for so long."""
    folder = ended_run(root, "run", status="stopped")
    folder.exit_file.unlink()
    (folder.path / "checkpoint-5").mkdir()
    (folder.path / "checkpoint-5" / "optimizer.pt").touch()
    seal(folder.path / "checkpoint-5", 5, None, None, {})
    folder.write_processes(THERE, {0: THERE}, 1)
    change(folder, host=host, supervisor=THERE.as_json(), t=time.time() - seconds)
    events = [json.loads(line) for line in folder.events_file().read_text().splitlines()]
    silent = (json.dumps(event | {"t": event["t"] - seconds}) for event in events)
    folder.events_file().write_text("".join(f"{line}\n" for line in silent))
    return folder


def test_a_run_of_another_machine_is_elsewhere_until_it_has_ended(tmp_path: Path) -> None:
    folder = run_of_another_machine(tmp_path, 3 * 3600)
    refuse_everything(folder, "n1, last heard of 3 h ago: ask there")
    folder.exit_file.write_text('{"status": "finished", "exit_code": 0}')
    assert status_of(folder).state == "finished"
    check_deletable(folder)


def test_a_run_that_another_machine_is_about_to_start_is_elsewhere(tmp_path: Path) -> None:
    folder = make_run(tmp_path, "run", 2)
    assert status_of(folder).state == "crashed"
    change(folder, host="n1")
    refuse_everything(folder, "n1, last heard of now: ask there")


def test_who_knows_that_the_other_machine_is_gone_can_delete_its_run(tmp_path: Path) -> None:
    folder = run_of_another_machine(tmp_path, 300)
    assert "use --gone" in vlmft("rm", "-y", str(folder.path), code=2).stderr
    vlmft("rm", "-y", "--gone", str(folder.path), code=0)
    assert not folder.path.exists()


def test_who_knows_that_the_other_machine_is_gone_can_resume_its_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = run_of_another_machine(tmp_path, 300)
    assert status_of(folder, gone=True).state == "lost"
    with pytest.raises(VlmftError, match="n1"):
        resume_run(folder)
    started = list[RunFolder]()
    monkeypatch.setattr(resuming, "start_supervisor", lambda run: started.append(run) or "")
    monkeypatch.setattr(resuming, "check_machine", lambda preset: None)
    assert resume_run(folder, gone=True) == ("run goes on from step 5", "")
    assert started == [folder]


def test_a_machine_that_was_heard_of_a_moment_ago_is_not_gone(tmp_path: Path) -> None:
    folder = run_of_another_machine(tmp_path, 300)
    change(folder, t=time.time() - 30)
    refused = vlmft("rm", "-y", "--gone", str(folder.path), code=2)
    assert "n1 is not gone: it was heard of less than a minute ago" in refused.stderr
    assert folder.path.exists()


def test_another_machine_of_the_same_name_is_another_machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = run_of_another_machine(tmp_path, 300, platform.node())
    monkeypatch.setattr(time, "clock_gettime", lambda clock: 3600.0)  # this machine was started an hour ago
    refuse_everything(folder, f"another machine called {platform.node()}, last heard of 5 min ago")
    monkeypatch.setattr(time, "clock_gettime", lambda clock: 60.0)
    assert status_of(folder).state == "lost"


@pytest.mark.parametrize(
    ("said", "state", "code"), [("finished", "finished", 0), ("stopped", "stopped", 130), ("failed", "failed", 1)]
)
def test_what_the_log_says_at_its_end_is_believed_when_nobody_is_left_to_witness_it(
    tmp_path: Path, said: str, state: str, code: int
) -> None:
    folder = ended_run(tmp_path, "run")
    folder.exit_file.unlink()
    assert status_of(folder).state == "crashed"
    with folder.events_file().open("a") as log:
        log.write(json.dumps(record("run_end", status=said, reason="so it is")) + "\n")
    status = status_of(folder)
    assert (status.state, status.exit_code) == (state, code)
    assert status.reason == "so it is; unwitnessed: its supervisor was gone by then, and its log says so"


def test_a_finished_run_whose_supervisor_was_killed_is_finished(tmp_path: Path) -> None:
    run = Supervised(tmp_path, 2, *LONG)
    run.wait_for_ranks()
    run.who("supervisor").send(signal.SIGKILL)
    run.finish()
    run.wait(lambda: not run.status().live)
    assert run.status().state == "finished"
    with pytest.raises(RunFolderError, match="nothing is left to do"):
        resume_run(run.folder)


def test_the_end_of_an_earlier_start_is_not_the_end_of_this_one(tmp_path: Path) -> None:
    folder = ended_run(tmp_path, "run")
    folder.exit_file.unlink()
    with folder.events_file().open("a") as log:
        log.write(json.dumps(record("run_end", status="stopped", reason="")) + "\n")
    folder.write_processes(Identity(2**30, 1, myself().boot_id), {}, 2)
    change(folder, supervisor=None)
    assert status_of(folder).state == "crashed"


def test_a_launcher_alone_makes_a_run_unsupervised_which_is_not_deleted_but_adopted(tmp_path: Path) -> None:
    run = Supervised(tmp_path, 2, *LONG, "--fork-s=1")
    run.wait(lambda: "rank 0" in run.folder.processes())
    inner = look(run.inner_launcher())
    assert inner is not None
    os.kill(inner.identity.pid, signal.SIGSTOP)  # first: it ends when it sees a rank end
    for role in ("supervisor", "launcher", "rank 0"):
        run.who(role).send(signal.SIGKILL)
    for who in [seen.identity for seen in processes.of_run(run.folder.run_id)]:
        if who != inner.identity:  # a rank that came in between
            who.send(signal.SIGKILL)
    run.wait(lambda: len(processes.of_run(run.folder.run_id)) == 1)
    run.wait(lambda: status_of(run.folder).state == "unsupervised")  # a killed supervisor takes a moment to end
    run.wait(lambda: f"process {inner.identity.pid}" in status_of(run.folder).reason)  # and a killed rank, too
    with pytest.raises(RunFolderError, match="is unsupervised"):
        check_deletable(run.folder)
    resume_run(run.folder)
    os.kill(inner.identity.pid, signal.SIGCONT)
    assert run.wait_for_end()["exit_code"] == 1


def test_ranks_that_start_one_after_another_are_all_known_at_once(tmp_path: Path) -> None:
    run = Supervised(tmp_path, 4, *LONG, "--fork-s=0.5")
    run.wait(lambda: len(processes.of_run(run.folder.run_id)) == 6)
    run.wait(lambda: len(run.folder.processes()) == 6)
    StopRequest("the test is over", now=True).write(run.folder)
    run.wait_for_end()


@pytest.mark.parametrize("killed", [1, 3])
def test_a_killed_rank_of_a_run_that_has_just_begun_is_no_success(tmp_path: Path, killed: int) -> None:
    run = Supervised(tmp_path, 4, "--steps=60", "--fork-s=0.3")
    run.wait(lambda: len(processes.of_run(run.folder.run_id)) == 6)
    inner = run.inner_launcher()
    ranks = [one.identity for one in processes.descendants(inner)]
    os.kill(inner, signal.SIGKILL)
    ranks[killed].send(signal.SIGKILL)
    assert run.wait_for_end()["exit_code"] == 1


@pytest.fixture
def live(tmp_path: Path) -> Iterator[Supervised]:
    """A live run in a folder of its own."""
    (tmp_path / "outputs").mkdir()
    run = Supervised(tmp_path / "outputs", 1, *LONG)
    run.wait_for_ranks()
    yield run
    StopRequest("the test is over", now=True).write(run.folder)
    run.wait_for_end()


def test_a_live_run_seen_through_a_mount_without_its_locks_is_elsewhere(tmp_path: Path, live: Supervised) -> None:
    with overlay(tmp_path / "outputs", tmp_path / "view") as view:
        refuse_everything(RunFolder(view / "run"), str(live.folder.path))
        assert live.status().state == "running"


def test_a_live_run_seen_through_a_mount_that_is_read_only_is_running(tmp_path: Path, live: Supervised) -> None:
    with mounted(tmp_path / "view", "-o", "bind,ro", str(tmp_path / "outputs")) as view:
        assert status_of(RunFolder(view / "run")).state == "running"
        with pytest.raises(RunFolderError, match="is running"):
            check_deletable(RunFolder(view / "run"))
