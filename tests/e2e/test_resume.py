"""Runs that ended too early, really killed or stopped, and went on from their newest complete checkpoint."""

from __future__ import annotations

import signal
from pathlib import Path

import pytest

from tests.command_line import vlmft
from tests.e2e.small_run import Curve, curve, joins, resume, start, wait_for_end, wait_for_step
from vlmft_console.runs.folder import RunFolder
from vlmft_core.run_folder.checkpoints import complete_ones
from vlmft_core.run_folder.tail import RunTail

pytestmark = [pytest.mark.train, pytest.mark.xdist_group("the short run")]


@pytest.fixture(scope="module")
def uninterrupted(short_run: RunFolder) -> Curve:
    return curve(short_run)


def test_a_killed_run_resumes_from_its_newest_checkpoint_onto_the_same_curves(
    tmp_path: Path, uninterrupted: Curve
) -> None:
    folder = start(tmp_path, "killed", "--detach")
    wait_for_step(folder, 8)
    folder.processes()["rank 1"].send(signal.SIGKILL)
    end = wait_for_end(folder)
    assert end["status"] in ("crashed", "failed")
    assert "rank 1 was killed by SIGKILL" in end["reason"]
    (folder.path / "checkpoint-9").mkdir()  # as if killed in the middle of a save
    (folder.path / "checkpoint-9" / "trainer_state.json").write_text("{")
    resume(folder)
    starts = [record for record in RunTail(folder.logs).read() if record["event"] == "run_start"]
    assert [record["resumed_from"] for record in starts] == [None, 6]
    joins(curve(folder), uninterrupted)
    assert [one.step for one in complete_ones(folder)] == [6, 12, 18]
    assert (folder.adapter / "adapter_model.safetensors").is_file()


def test_a_stopped_run_resumes_at_the_step_it_stopped_at(tmp_path: Path, uninterrupted: Curve) -> None:
    folder = start(tmp_path, "stopped", "--detach")
    wait_for_step(folder, 3)
    vlmft("stop", str(folder.path), code=0)
    assert wait_for_end(folder)["status"] == "stopped"
    (stopped,) = complete_ones(folder)
    resume(folder)
    again = [record["step"] for record in RunTail(folder.logs).read() if record["event"] == "step"]
    assert again == list(range(1, 19)), f"stopped at {stopped.step}"
    joins(curve(folder), uninterrupted)
    assert vlmft("resume", str(folder.path), code=2).stderr == "vlmft: stopped has finished: nothing is left to do\n"
