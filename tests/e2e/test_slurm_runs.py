"""Runs in the queue of a real Slurm cluster, as a person at its login node has them. Stand-ins count the steps."""

from __future__ import annotations

import os
import signal
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.e2e.slurm import Cluster, cluster
from tests.e2e.slurm_run import Run, with_standin
from vlmft_console.runs.folder import RunFolder
from vlmft_core.run_folder.checkpoints import complete_ones

NODES = "nodes=2,ntasks-per-node=1,exclusive"
LONG = 100_000


@pytest.fixture(scope="module")
def slurm() -> Iterator[Cluster]:
    with tempfile.TemporaryDirectory(prefix="vlmft-") as folder, cluster(Path(folder) / "cluster") as made:
        yield made


@pytest.fixture
def start(slurm: Cluster, tmp_path: Path) -> Iterator[Callable[..., Run]]:
    """Puts runs into the queue, and takes out of it afterwards what is left."""
    started: list[Run] = []

    def begin(options: str = NODES, *, steps: int = 20, seconds: float = 0.05) -> Run:
        name = f"run{len(started)}"
        (tmp_path / "standin").write_text(f"{steps} {seconds}")
        arguments = ["run", "demo", "--detach", f"--run-name={name}", f"--output-root={tmp_path}"]
        slurm.vlmft(*arguments, f"--slurm={options}", PYTHONPATH=with_standin())
        started.append(Run(slurm, RunFolder(tmp_path / name)))
        return started[-1]

    yield begin
    slurm.run("scancel", "--quiet", "--user=root", code=None)
    until = time.monotonic() + 180
    while slurm.run("squeue", "--noheader"):
        assert time.monotonic() < until, "jobs are left"


def test_a_run_is_queued_runs_on_two_nodes_and_finishes(slurm: Cluster, start: Callable[..., Run]) -> None:
    first = start(NODES, steps=LONG)
    first.wait_for_step(1)
    second = start(NODES)
    assert second.status()["state"] == "queued"
    second.wait(lambda: second.status()["reason"].startswith(("Resources", "Priority")))
    assert "is queued" in slurm.vlmft("rm", "--yes", str(second.folder.path), code=2)
    assert "run1 is queued" in slurm.vlmft("resume", str(second.folder.path), code=75)
    assert "run0 is running" in slurm.vlmft("rm", "--yes", str(first.folder.path), code=2)
    assert {run["run"]: run["state"] for run in [first.status(), second.status()]} == {
        "run0": "running",
        "run1": "queued",
    }
    assert "run0 stopped: stopped by stop.json" in slurm.vlmft("stop", str(first.folder.path))
    second.finishes()
    assert second.steps() == list(range(1, 21))
    assert second.status()["state"] == "finished"
    assert "0: finished at step 20" in slurm.vlmft("logs", str(second.folder.path))


def test_a_run_stopped_from_the_login_node_is_not_revived_and_goes_on_when_resumed(
    slurm: Cluster, start: Callable[..., Run]
) -> None:
    run = start(NODES, steps=LONG)
    run.wait_for_step(3)
    slurm.vlmft("stop", str(run.folder.path))
    saved = complete_ones(run.folder)[-1].step
    assert saved == run.steps()[-1]
    assert run.events("run_end")[-1]["stopped_by"] == "stop.json"
    run.wait_for_state("FAILED")  # Slurm's word for an exit status of 130
    first = run.job
    assert run.status()["state"] == "stopped"
    said = run.resume(saved + 10)
    assert said.startswith(f"run0 is in the queue to go on from step {saved:,}: job ")
    assert run.job != first
    run.finishes()
    assert run.events("run_start")[-1]["resumed_from"] == saved
    assert run.steps() == list(range(1, saved + 11))
    assert slurm.vlmft("rm", "--yes", str(run.folder.path)) == ""
    assert not run.folder.path.exists()


def test_a_queued_run_is_taken_out_of_the_queue(slurm: Cluster, start: Callable[..., Run]) -> None:
    run = start("begin=now+1hour,nodes=2")
    assert run.status()["state"] == "queued"
    run.wait(lambda: run.status()["reason"].startswith("BeginTime; expected to start at 20"))
    said = slurm.vlmft("stop", str(run.folder.path))
    assert said == "run0 stopped: taken out of the queue by vlmft stop; it was never started\n"
    assert slurm.job(run.job)["JobState"] == "CANCELLED"
    slurm.vlmft("rm", "--yes", str(run.folder.path))


def test_a_killed_rank_of_the_other_node_is_named_within_seconds(start: Callable[..., Run], rounds: int) -> None:
    run = start(NODES, steps=LONG)
    run.wait_for_step(3)
    os.kill(run.rank(1), signal.SIGKILL)
    killed = time.time()
    ended = run.wait_for_end()
    assert ended["status"] in ("failed", "crashed")  # the first where rank 0 has a moment to say so
    assert ended["reason"].startswith("rank 1 on n2 was killed by SIGKILL")
    if rounds:  # on quiet cores
        assert ended["t"] - killed < 5
    run.wait_for_state("FAILED")


def test_ranks_that_do_not_listen_are_ended_through_slurm(slurm: Cluster, start: Callable[..., Run]) -> None:
    run = start(NODES, steps=LONG)
    run.wait_for_step(3)
    for rank in (0, 1):
        os.kill(run.rank(rank), signal.SIGSTOP)
    said = slurm.vlmft("stop", "--now", str(run.folder.path))
    assert said.startswith("run0 stopped: ended at once by vlmft stop")
    run.wait_for_state("CANCELLED", "FAILED")


def test_a_run_whose_supervisor_is_killed_is_no_success_and_can_be_resumed(
    slurm: Cluster, start: Callable[..., Run]
) -> None:
    run = start(NODES, steps=LONG)
    run.wait_for_step(3)
    os.kill(run.supervisor(), signal.SIGKILL)
    run.wait_for_state("FAILED")
    run.wait(lambda: run.status()["state"] != "stopping")
    ended = run.status()
    assert ended["state"] == "stopped"  # Slurm's TERM had the ranks save a checkpoint
    assert "its supervisor was gone by then" in ended["reason"]
    saved = complete_ones(run.folder)[-1].step
    assert saved == run.steps()[-1]
    run.resume(saved + 10)
    run.finishes()
    assert run.steps() == list(range(1, saved + 11))


def test_a_notice_of_the_time_limit_ends_in_a_checkpoint_from_which_the_job_goes_on_by_itself(
    slurm: Cluster, start: Callable[..., Run]
) -> None:
    run = start(NODES, steps=LONG)
    run.wait_for_step(3)
    slurm.run("scancel", "--batch", "--signal=TERM", run.job)  # what --signal=B:TERM@300 sends
    run.goes_on_by_itself()


@pytest.mark.soak
def test_a_run_that_reaches_its_time_limit_goes_on_by_itself(start: Callable[..., Run]) -> None:
    run = start(f"{NODES},time=2,signal=B:TERM@60", steps=3000, seconds=0.05)
    run.wait_for_step(1)
    run.wait_for_state("PENDING", seconds=300)
    saved = complete_ones(run.folder)[-1].step
    run.start_now()
    run.wait(lambda: len(run.events("run_start")) == 2)
    assert run.events("run_start")[-1]["resumed_from"] == saved
    run.wait_for_step(saved + 1)


def test_a_run_that_makes_room_for_another_job_goes_on_by_itself(slurm: Cluster, start: Callable[..., Run]) -> None:
    run = start(NODES, steps=LONG)
    run.wait_for_step(3)
    slurm.run("sbatch", "-p", "high", "-N2", "--exclusive", "--output=/dev/null", "--wrap=sleep 1")
    run.wait_for_state("PENDING")
    assert run.status()["state"] == "queued"
    run.goes_on_by_itself()


@pytest.mark.soak
def test_a_run_goes_on_after_a_node_was_lost_and_came_back(slurm: Cluster, start: Callable[..., Run]) -> None:
    run = start(NODES, steps=400, seconds=0.02)
    run.wait_for_step(12)
    slurm.cable("n2", plugged=False)
    try:
        run.wait_for_state("PENDING", seconds=300)
        assert run.status()["state"] == "queued"
        assert run.steps()[-1] < 400
    finally:
        slurm.cable("n2", plugged=True)
    run.start_now()
    run.finishes()
    resumed = [start["resumed_from"] for start in run.events("run_start")]
    assert resumed[0] is None
    assert resumed[1] >= 10
    assert sorted(set(run.steps())) == list(range(1, 401))


def test_a_cancelled_job_is_not_revived(slurm: Cluster, start: Callable[..., Run]) -> None:
    run = start(NODES, steps=LONG)
    run.wait_for_step(3)
    slurm.run("scancel", run.job)
    run.wait_for_state("CANCELLED")
    ended = run.status()
    assert ended["state"] == "stopped"
    assert slurm.job(run.job)["Restarts"] == "0"
    assert complete_ones(run.folder)[-1].step == run.steps()[-1]


def test_a_run_folder_that_one_node_does_not_see_is_refused_before_anything_starts(
    slurm: Cluster, start: Callable[..., Run], tmp_path: Path
) -> None:
    (tmp_path / "own").mkdir()
    assert slurm.start("n2", "mount", "--bind", str(tmp_path / "own"), str(tmp_path)).wait(120) == 0
    try:
        run = start(NODES)
        ended = run.wait_for_end()
        assert (ended["status"], ended["exit_code"]) == ("failed", 2)
        assert ended["reason"].startswith(f"n2 does not see the run folder {run.folder.path}: ")
        assert not run.folder.segments
    finally:
        assert slurm.start("n2", "umount", str(tmp_path)).wait(120) == 0


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ("nodes=2,partition=nope", "vlmft: Slurm: invalid partition specified: nope; "),
        (
            "nodes=4,ntasks-per-node=1",
            "vlmft: Slurm: allocation failure: Requested node configuration is not available",
        ),
        ("nodes=2,time=soon", "vlmft: Slurm: Invalid --time specification"),
        ("nodes=2,flavour=mild", "vlmft: Slurm: unrecognized option '--flavour=mild'"),
        ("nodes=2,gpus-per-node=1", "vlmft: Slurm: Invalid generic resource (gres) specification"),
    ],
)
def test_what_sbatch_refuses_is_one_line_in_its_words_and_nothing_is_made(
    slurm: Cluster, here: Path, options: str, message: str
) -> None:
    said = slurm.vlmft("run", "demo", f"--slurm={options}", code=2)
    assert said.startswith(message)
    assert said.count("\n") == 1
    assert not list(here.iterdir())
    assert slurm.run("squeue", "--noheader") == ""
