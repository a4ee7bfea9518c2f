"""The batch step of a job: what it does before the supervisor, and whether the job goes back into the queue."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.fake_slurm import FakeSlurm
from vlmft_console.errors import MachineError, UnansweredError
from vlmft_console.places import slurm as places_slurm
from vlmft_console.places.place import Slurm
from vlmft_console.runs import batch_step as module
from vlmft_console.runs.batch_step import batch_step
from vlmft_console.runs.folder import Command, RunFolder
from vlmft_core.durable import as_json, read_json, write_whole
from vlmft_core.run_folder.checkpoints import seal
from vlmft_core.run_folder.stop import StopRequest

PRESET = """
model: {base: demo}
data: {sources: [{task: chartqa, path: demo}]}
hardware: {device: cpu, gpus: 2}
"""


@pytest.fixture
def slurm(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> FakeSlurm:
    made = FakeSlurm(tmp_path / "bin", monkeypatch)
    monkeypatch.setenv("SLURM_JOB_ID", "12")
    monkeypatch.setenv("SLURM_CLUSTER_NAME", "ours")
    monkeypatch.setattr(module, "_check_nodes", lambda folder, place: None)
    made.says("scontrol", "JobId=12 JobState=RUNNING Restarts=0\n")
    return made


@pytest.fixture
def run(tmp_path: Path) -> RunFolder:
    folder = RunFolder.create(tmp_path, "run")
    command = Command(("srun", "--data_changed"), {})
    folder.write_run(preset_name="test", preset_text=PRESET, command=command, place=Slurm({"nodes": "2"}))
    return folder


@pytest.fixture
def ends(monkeypatch: pytest.MonkeyPatch) -> Callable[..., list[RunFolder]]:
    """Has the supervisor end a run at once, and tells which it was given."""

    def how(status: str, *, code: int = 130, step: int | None = None, request: StopRequest | None = None) -> list[Any]:
        given: list[RunFolder] = []

        def supervise(folder: RunFolder, *, job: str) -> int:
            given.append(folder)
            if step is not None:
                folder.checkpoint(step).mkdir()
                (folder.checkpoint(step) / "weights").write_text("w")
                seal(folder.checkpoint(step), step, None, None, {})
            if request is not None:
                request.write(folder)
            write_whole(folder.exit_file, as_json({"status": status, "reason": "r", "exit_code": code, "t": 0}))
            return code

        monkeypatch.setattr(module, "supervise", supervise)
        return given

    return how


NOTICE = StopRequest("the supervisor got SIGTERM", signal="SIGTERM")


def end_of(run: RunFolder) -> dict[str, Any]:
    return read_json(run.exit_file) or {}


def test_what_the_system_stopped_goes_back_into_the_queue(
    slurm: FakeSlurm, run: RunFolder, ends: Callable[..., Any]
) -> None:
    ends("stopped", step=7, request=NOTICE)
    batch_step(run)
    assert "scontrol requeue 12" in slurm.asked
    assert not run.exit_file.exists()
    assert not run.stop_file.exists()
    place = run.place
    assert isinstance(place, Slurm)
    assert (place.job, place.cluster, place.idle_starts) == ("12", "ours", 0)


@pytest.mark.parametrize(
    ("status", "request_", "told"),
    [
        ("stopped", StopRequest("vlmft stop"), "JobState=RUNNING Restarts=0"),
        ("stopped", None, "JobState=COMPLETING Restarts=0"),  # scancel
        ("failed", None, "JobState=RUNNING Restarts=0"),
        ("finished", None, "JobState=RUNNING Restarts=0"),
    ],
)
def test_what_a_person_stopped_or_what_failed_does_not(
    slurm: FakeSlurm, run: RunFolder, ends: Callable[..., Any], status: str, request_: StopRequest | None, told: str
) -> None:
    slurm.says("scontrol", f"JobId=12 {told}\n")
    ends(status, step=7, request=request_)
    batch_step(run)
    assert "scontrol requeue 12" not in slurm.asked
    assert end_of(run)["status"] == status


def test_a_stop_that_is_asked_for_while_slurm_is_asked_is_not_forgotten(
    slurm: FakeSlurm, run: RunFolder, ends: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    def restarts(job: str) -> tuple[str, int]:
        StopRequest("vlmft stop").write(run)
        return "RUNNING", 0

    monkeypatch.setattr(places_slurm, "restarts", restarts)
    ends("stopped", step=7, request=NOTICE)
    batch_step(run)
    assert "scontrol requeue 12" not in slurm.asked
    assert end_of(run)["status"] == "stopped"


def test_what_slurm_has_put_back_itself_has_no_end_yet(
    slurm: FakeSlurm, run: RunFolder, ends: Callable[..., Any]
) -> None:
    slurm.says("scontrol", "JobId=12 JobState=COMPLETING Restarts=1\n")
    ends("failed", code=1)
    batch_step(run)
    assert "scontrol requeue 12" not in slurm.asked
    assert not run.exit_file.exists()


def test_a_question_that_was_ended_with_the_job_is_asked_again(
    slurm: FakeSlurm, run: RunFolder, ends: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    slurm.says("scontrol", "JobId=12 JobState=COMPLETING Restarts=1\n")
    ask, asked = places_slurm._ask, []

    def ended_once(argv: list[str], *more: Any, **named: Any) -> str:
        asked.append(argv)
        if len(asked) == 1:
            raise MachineError("Slurm: scontrol exits with status -15")
        return ask(argv, *more, **named)

    monkeypatch.setattr(places_slurm, "_ask", ended_once)
    ends("failed", code=1)
    batch_step(run)
    assert len(asked) == 2
    assert not run.exit_file.exists()


@pytest.mark.parametrize(("before", "silent", "started"), [("1", 2, True), ("1", 3, False), ("0", 1, False)])
def test_nodes_that_let_the_job_start_once_are_asked_again_where_they_say_nothing(
    slurm: FakeSlurm,
    run: RunFolder,
    ends: Callable[..., Any],
    monkeypatch: pytest.MonkeyPatch,
    before: str,
    silent: int,
    started: bool,
) -> None:
    asked: list[RunFolder] = []

    def check(folder: RunFolder, place: Slurm) -> None:
        asked.append(folder)
        if len(asked) <= silent:
            raise UnansweredError("0 of 2 hosts answered: srun: Force Terminated StepId=12.0")

    monkeypatch.setattr(module, "_check_nodes", check)
    monkeypatch.setattr(module, "ASK_AGAIN_SECONDS", 0.0)
    monkeypatch.setenv("SLURM_RESTART_COUNT", before)
    given = ends("finished", code=0)
    assert batch_step(run) == (0 if started else 2)
    assert bool(given) == started
    assert len(asked) == (silent + 1 if started else silent)
    assert ("Force Terminated" in str(end_of(run)["reason"])) != started


def test_three_starts_without_a_step_are_enough(slurm: FakeSlurm, run: RunFolder, ends: Callable[..., Any]) -> None:
    ends("stopped", request=NOTICE)
    for _ in range(2):
        batch_step(run)
        assert not run.exit_file.exists()
    batch_step(run)
    assert end_of(run)["reason"] == (
        "r; not put back into the queue: 3 starts in a row brought it no further (give it more time)"
    )
    assert slurm.asked.count("scontrol requeue 12") == 2


def test_a_queue_that_does_not_take_it_back_is_said(slurm: FakeSlurm, run: RunFolder, ends: Callable[..., Any]) -> None:
    slurm.says("scontrol", None)
    ends("stopped", step=7, request=NOTICE)
    batch_step(run)
    assert end_of(run)["status"] == "stopped"
    assert "not put back into the queue: Slurm: " in end_of(run)["reason"]


def test_a_start_again_goes_on_from_the_newest_checkpoint(
    slurm: FakeSlurm, run: RunFolder, ends: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SLURM_RESTART_COUNT", "1")
    run.checkpoint(3).mkdir()  # half of one
    ends("finished", code=0, step=9)
    batch_step(run)
    assert "--resume" not in run.command().argv
    assert not run.checkpoint(3).exists()
    run.exit_file.unlink()
    ends("finished", code=0)
    batch_step(run)
    assert {"--resume", "--data_changed"} <= set(run.command().argv)


def test_a_person_who_stopped_it_in_the_queue_is_heard(
    slurm: FakeSlurm, run: RunFolder, ends: Callable[..., Any]
) -> None:
    given = ends("finished")
    StopRequest("vlmft stop").write(run)
    assert batch_step(run) == 130
    assert not given
    assert end_of(run)["reason"] == "ended by vlmft stop before it was started"


def test_a_run_that_has_finished_is_not_started_again(
    slurm: FakeSlurm, run: RunFolder, ends: Callable[..., Any]
) -> None:
    given = ends("failed")
    write_whole(run.exit_file, as_json({"status": "finished", "exit_code": 0}))
    assert batch_step(run) == 0
    assert not given


def test_a_node_on_which_something_is_amiss_ends_the_start_as_a_mistake(
    slurm: FakeSlurm, run: RunFolder, ends: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    def amiss(folder: RunFolder, place: Slurm) -> None:
        raise MachineError("n2: /data: no such file or folder")

    given = ends("finished")
    monkeypatch.setattr(module, "_check_nodes", amiss)
    assert batch_step(run) == 2
    assert not given
    assert (end_of(run)["status"], end_of(run)["reason"]) == ("failed", "n2: /data: no such file or folder")
