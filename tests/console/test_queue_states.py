"""The state of a run that is a job: what its folder does not tell, Slurm is asked, and that not too often."""

from __future__ import annotations

import subprocess
import time
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from tests.fake_slurm import FakeSlurm
from vlmft_console.cli import app
from vlmft_console.errors import RunBusyError, RunFolderError, UnconfirmedError
from vlmft_console.places import slurm as places_slurm
from vlmft_console.places.place import Hosts, Slurm
from vlmft_console.places.slurm import signal_command
from vlmft_console.runs.folder import Command, RunFolder
from vlmft_console.runs.leaving_queue import leave_queue
from vlmft_console.runs.locks import acquire
from vlmft_console.runs.resuming import check_resumable
from vlmft_console.runs.status import status_of
from vlmft_console.runs.steering import check_deletable, stop_run
from vlmft_console.runs.submitting import check_submittable, submit
from vlmft_core.durable import as_json, read_json, write_whole
from vlmft_core.errors import VlmftError
from vlmft_core.run_folder import events
from vlmft_core.run_folder.events import EventWriter
from vlmft_core.run_folder.stop import StopRequest


@pytest.fixture
def slurm(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> FakeSlurm:
    return FakeSlurm(tmp_path / "bin", monkeypatch)


@pytest.fixture
def run(tmp_path: Path) -> RunFolder:
    folder = RunFolder.create(tmp_path, "run")
    place = Slurm({"nodes": "2"}, job="12", cluster="ours")
    folder.write_run(preset_name="test", preset_text="{}\n", command=Command(("srun",), {}), place=place)
    return folder


def test_a_job_that_waits_is_queued_with_the_reason_and_the_expected_start(slurm: FakeSlurm, run: RunFolder) -> None:
    slurm.job("PENDING", "run", "Priority", "2026-12-01T08:00:00")
    status = status_of(run)
    assert (status.state, status.reason) == ("queued", "Priority; expected to start at 2026-12-01T08:00:00")
    assert status.live
    with pytest.raises(RunFolderError, match="run is queued"):
        check_deletable(run)
    with pytest.raises(RunBusyError, match="run is queued"):
        check_resumable(run)


def test_a_job_that_runs_where_locks_are_not_seen_is_running(slurm: FakeSlurm, run: RunFolder) -> None:
    slurm.job("RUNNING", "run")
    assert status_of(run).state == "running"
    StopRequest("a test").write(run)
    assert status_of(run).state == "stopping"


def test_slurm_is_asked_about_a_job_once_in_a_while(slurm: FakeSlurm, run: RunFolder) -> None:
    slurm.job("PENDING", "run", "Priority")
    for _ in range(20):
        status_of(run)
    assert sum(line.startswith("squeue") for line in slurm.asked) == 1


@pytest.mark.parametrize("state", ["CANCELLED", "NODE_FAIL", "OUT_OF_MEMORY"])
def test_a_job_that_ended_without_a_word_in_the_folder_has_crashed(
    slurm: FakeSlurm, run: RunFolder, state: str
) -> None:
    slurm.job(state, "run")
    status = status_of(run)
    assert (status.state, status.reason) == ("crashed", f"its job is over: {state}")
    check_deletable(run)


def test_a_job_that_ended_after_the_log_said_so_has_the_logs_state(slurm: FakeSlurm, run: RunFolder) -> None:
    log = EventWriter(run.events_file())
    log.write(events.RUN_START, run_id="0" * 32, segment=1)
    log.write(events.RUN_END, status="stopped", reason="stopped by SIGTERM")
    log.close()
    slurm.job("CANCELLED", "run")
    status = status_of(run)
    assert status.state == "stopped"
    assert status.reason.startswith("stopped by SIGTERM; unwitnessed")


def test_another_job_of_that_number_is_not_the_runs(slurm: FakeSlurm, run: RunFolder) -> None:
    slurm.job("RUNNING", "another")
    assert status_of(run).state == "crashed"
    slurm.says("squeue", "")
    assert status_of(run).state == "crashed"


@pytest.mark.parametrize("lost", ["squeue", "scontrol", "other"])
def test_where_slurm_does_not_tell_nothing_is_deleted_or_resumed(slurm: FakeSlurm, run: RunFolder, lost: str) -> None:
    slurm.job("RUNNING", "run")
    slurm.says("scontrol", "ClusterName = theirs\n") if lost == "other" else slurm.says(lost, None)
    status = status_of(run)
    assert (status.state, status.reason) == ("elsewhere", "job 12 of ours, which does not tell here")
    with pytest.raises(RunFolderError, match="may be live"):
        check_deletable(run)
    with pytest.raises(RunBusyError, match="is not run from here"):
        check_resumable(run)
    check_deletable(run, gone=True)


def test_variables_that_hide_jobs_from_a_person_hide_none_from_the_run(
    slurm: FakeSlurm, run: RunFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SQUEUE_PARTITION", "debug")
    monkeypatch.setenv("SCANCEL_INTERACTIVE", "1")
    slurm.job("PENDING", "run", "Priority")
    assert status_of(run).state == "queued"
    stop_run(run, StopRequest("a test"))
    assert subprocess.run(signal_command("12", "TERM"), check=False).returncode == 0
    assert [line for line in slurm.asked if line.startswith("scancel")] == [
        "scancel --quiet 12",
        "scancel --quiet --signal=TERM 12",
    ]


def test_a_cluster_that_did_not_tell_its_name_at_first_is_asked_again(
    slurm: FakeSlurm, run: RunFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    slurm.says("scontrol", None)
    slurm.says("squeue", "PENDING|N/A||Priority|vlmft:run\n", anew=False)
    assert status_of(run).state == "elsewhere"
    slurm.says("scontrol", "ClusterName = ours\n", anew=False)
    assert status_of(run).state == "elsewhere"
    assert sum(line.startswith("scontrol") for line in slurm.asked) == 1  # it may take 10 s each time
    monkeypatch.setattr("vlmft_console.places.slurm._SILENT_SECONDS", 0.0)
    assert status_of(run).state == "queued"
    slurm.says("scontrol", None, anew=False)
    assert status_of(run).state == "queued"


def test_a_run_that_stopped_a_moment_ago_may_go_back_into_the_queue(slurm: FakeSlurm, run: RunFolder) -> None:
    write_whole(run.exit_file, as_json({"status": "stopped", "reason": "", "exit_code": 130, "t": time.time()}))
    slurm.job("COMPLETING", "run")
    assert status_of(run).state == "stopping"
    slurm.job("PENDING", "run", "BeginTime")
    assert status_of(run).state == "queued"
    slurm.job("FAILED", "run")
    assert status_of(run).state == "stopped"


def test_a_queued_run_is_stopped_by_leaving_the_queue(slurm: FakeSlurm, run: RunFolder) -> None:
    slurm.job("PENDING", "run", "Priority")
    stop_run(run, StopRequest("a test"))
    assert "scancel --quiet 12" in slurm.asked
    assert (read_json(run.exit_file) or {})["reason"] == "taken out of the queue by a test; it was never started"
    assert status_of(run).state == "queued"  # as squeue still says it
    slurm.job("CANCELLED", "run")
    assert status_of(run).state == "stopped"


def test_a_job_that_starts_while_it_is_stopped_is_left_to_its_supervisor(slurm: FakeSlurm, run: RunFolder) -> None:
    lock = acquire(run.lock)
    assert lock is not None
    leave_queue(run, StopRequest("a test"))
    assert not run.exit_file.exists()


@pytest.mark.parametrize(
    ("place", "told"),
    [
        ({"kind": "kubernetes", "pods": 4}, "place: no kind 'kubernetes' is known here"),
        ("moon", "place: no kind 'moon' is known here"),
        ({"kind": ["slurm"]}, "place: no kind ['slurm'] is known here"),
        ({"kind": "hosts", "slots": {"n1": 8, "n2": "eight"}}, "place: slots: {'n1': 8, 'n2': 'eight'} is not known"),
        ({"kind": "hosts"}, "place: of kind hosts, and does not say where"),
        ({"kind": "slurm", "options": {}, "reservation": "x"}, "place: reservation: 'x' is not known here"),
        ({"kind": "slurm", "options": {}, "job": "٣"}, "place: job: '٣' is not known here"),
    ],
)
def test_a_place_that_is_not_understood_is_elsewhere_and_nothing_is_done_to_the_run(
    run: RunFolder, place: object, told: str
) -> None:
    write_whole(run.run_file, as_json({**run.record(), "place": place}))
    status = status_of(run)
    assert (status.state, f"{run.run_file}: {told}" in status.reason) == ("elsewhere", True)
    for refused in (check_deletable, check_resumable):
        with pytest.raises(RunFolderError, match="ask the vlmft that started the run"):
            refused(run)
    with pytest.raises(RunFolderError, match="is not run from here"):
        stop_run(run, StopRequest("a test"))
    write_whole(run.exit_file, as_json({"status": "stopped", "reason": "by a test", "exit_code": 130}))
    assert status_of(run).state == "stopped"


def test_ranks_on_other_hosts_that_were_heard_of_just_now_are_not_called_crashed(tmp_path: Path) -> None:
    run = RunFolder.create(tmp_path, "hosts")
    place = Hosts({"n1": 2, "n2": 2})
    run.write_run(preset_name="test", preset_text="{}\n", command=Command(("deepspeed",), {}), place=place)
    EventWriter(run.events_file()).write(events.RUN_START, run_id="0" * 32, segment=1)
    status = status_of(run)
    assert status.state == "unsupervised"
    assert status.reason.endswith("ranks on n1, n2 were started, or heard of, less than a minute ago")


@pytest.fixture
def unsubmitted(tmp_path: Path) -> RunFolder:
    folder = RunFolder.create(tmp_path, "new")
    folder.write_run(
        preset_name="test", preset_text="{}\n", command=Command(("srun",), {}), place=Slurm({"nodes": "2"})
    )
    return folder


def test_a_job_whose_number_sbatch_does_not_say_is_found_by_what_it_runs(
    slurm: FakeSlurm, unsubmitted: RunFolder
) -> None:
    slurm.says("sbatch", "thank you\n")
    slurm.says("squeue", f"40|/elsewhere/new/logs/batch.sh\n41|{unsubmitted.batch_script}\n")
    assert submit(Slurm({"nodes": "2"}), unsubmitted).job == "41"
    assert unsubmitted.place == Slurm({"nodes": "2"}, job="41", cluster="ours")


def unconfirmed(slurm: FakeSlurm, run: RunFolder) -> UnconfirmedError:
    """What is said of a job that sbatch gives no number of and the queue does not know."""
    slurm.says("sbatch", "thank you\n")
    slurm.says("squeue", "")
    with pytest.raises(UnconfirmedError) as told:
        submit(Slurm({"nodes": "2"}), run)
    return told.value


def test_a_job_that_may_have_been_submitted_keeps_its_folder_and_is_not_submitted_again(
    slurm: FakeSlurm, unsubmitted: RunFolder
) -> None:
    error = unconfirmed(slurm, unsubmitted)
    assert str(error).startswith("Slurm: sbatch says 'thank you', and no job's number; the job may be in the queue")
    assert f"the run folder {unsubmitted.path} is kept" in str(error)
    status = status_of(unsubmitted)
    assert status.state == "elsewhere"
    assert status.reason == "vlmft:new, whose number sbatch did not say, of ours, which does not tell here"
    with pytest.raises(RunBusyError, match="whose number sbatch did not say"):
        check_resumable(unsubmitted)
    check_deletable(unsubmitted, gone=True)


@pytest.mark.parametrize("there", [True, False])
def test_ctrl_c_while_sbatch_is_asked_leaves_no_job_that_nobody_knows(
    slurm: FakeSlurm, unsubmitted: RunFolder, monkeypatch: pytest.MonkeyPatch, there: bool
) -> None:
    ask = places_slurm._ask

    def interrupted(argv: list[str], *more: Any, **named: Any) -> str:
        if argv[0] == "sbatch":
            raise KeyboardInterrupt
        return ask(argv, *more, **named)

    monkeypatch.setattr(places_slurm, "_ask", interrupted)
    slurm.says("squeue", f"41|{unsubmitted.batch_script}\n" if there else "")
    with pytest.raises(KeyboardInterrupt if there else UnconfirmedError):
        submit(Slurm({"nodes": "2"}), unsubmitted)
    assert ("scancel --quiet 41" in slurm.asked) is there
    assert status_of(unsubmitted).live is not there


def test_a_run_that_has_trained_and_may_be_in_the_queue_is_to_be_resumed_and_not_to_be_deleted(
    slurm: FakeSlurm, unsubmitted: RunFolder
) -> None:
    error = unconfirmed(slurm, unsubmitted)
    assert error.hint == "`squeue --me --name=vlmft:new` shows it; if it does not, `vlmft rm --gone` deletes the folder"
    unsubmitted.events_file().touch()
    error = unconfirmed(slurm, unsubmitted)
    assert (
        error.hint == "`squeue --me --name=vlmft:new` shows it; if it does not, `vlmft resume --gone` submits it again"
    )
    assert status_of(unsubmitted, gone=True).state == "crashed"


@pytest.mark.parametrize("later", [None, "ClusterName = ours\n"])
def test_a_job_of_a_cluster_that_did_not_tell_its_name_is_asked_after_and_stopped(
    slurm: FakeSlurm, unsubmitted: RunFolder, later: str | None
) -> None:
    slurm.says("scontrol", None)
    slurm.says("sbatch", "41\n")
    submit(Slurm({"nodes": "2"}), unsubmitted)
    slurm.says("scontrol", later)
    slurm.job("PENDING", "new", "Priority")
    assert status_of(unsubmitted).state == "queued"
    stop_run(unsubmitted, StopRequest("a test"))
    assert "scancel --quiet 41" in slurm.asked


def test_a_job_that_another_cluster_does_not_know_is_not_over_for_that(
    slurm: FakeSlurm, unsubmitted: RunFolder
) -> None:
    slurm.says("scontrol", None)
    slurm.says("sbatch", "41\n")
    submit(Slurm({"nodes": "2"}), unsubmitted)
    slurm.says("squeue", "")
    slurm.says("scontrol", "ClusterName = theirs\n")
    status = status_of(unsubmitted)
    assert (status.state, status.reason) == ("elsewhere", "job 41 of a cluster, which does not tell here")


def test_set_up_lines_with_patterns_that_they_switch_on_are_a_script(slurm: FakeSlurm, unsubmitted: RunFolder) -> None:
    slurm.says("sbatch", "sbatch: Job 5 to start at now")
    assert check_submittable(Slurm({"nodes": "2"}, setup=("shopt -s extglob", "ls !(a)")), unsubmitted) == "now"


@pytest.mark.parametrize("line", ["echo 'a", "if true; then", "cat <<END", "module load (cuda)"])
def test_set_up_lines_that_are_no_script_are_refused_before_the_job_waits(
    slurm: FakeSlurm, unsubmitted: RunFolder, line: str
) -> None:
    slurm.says("sbatch", "sbatch: Job 5 to start at now")
    with pytest.raises(VlmftError, match=r"^the place's setup is no script of bash's: .*line \d"):
        check_submittable(Slurm({"nodes": "2"}, setup=("module load x", line)), unsubmitted)
    assert check_submittable(Slurm({"nodes": "2"}, setup=("module load x",)), unsubmitted) == "now"


def test_what_sbatch_refuses_is_in_no_queue(slurm: FakeSlurm, unsubmitted: RunFolder) -> None:
    slurm.says("sbatch", None)
    with pytest.raises(VlmftError, match=r"^Slurm: cat: .*sbatch.said.*No such file"):
        submit(Slurm({"nodes": "2"}), unsubmitted)
    assert not status_of(unsubmitted).live


def test_what_a_job_printed_before_it_could_train_is_its_log(slurm: FakeSlurm, run: RunFolder) -> None:
    run.batch_log.write_text("module: command not found\n")
    slurm.job("FAILED", "run")
    assert CliRunner().invoke(app, ["logs", str(run.path)]).stdout == "module: command not found\n"
    assert f"log            {run.batch_log}" in CliRunner().invoke(app, ["attach", str(run.path)]).stderr
