"""Runs that ended too early, really killed or stopped, and went on from their newest complete checkpoint."""

from __future__ import annotations

import json
import signal
from pathlib import Path

import pytest

from tests.command_line import vlmft
from tests.e2e.small_run import (
    SMALL,
    Curve,
    curve,
    joins,
    resume,
    settings,
    start,
    wait_for_end,
    wait_for_step,
)
from vlmft_console.runs.folder import RunFolder
from vlmft_core.run_folder.checkpoints import complete_ones
from vlmft_core.run_folder.stop import StopRequest
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
    supervised = {
        record["step"]: record["supervised_tokens"]
        for record in RunTail(folder.logs).read()
        if record["event"] == "step"
    }
    named = json.loads(vlmft("data", "step", str(folder.path), "14", "--json", code=0).stdout)["rows"]
    assert (len(named), sum(row["supervised"] for row in named)) == (32, supervised[14])
    assert (folder.adapter / "adapter_model.safetensors").is_file()


@pytest.mark.soak
def test_a_renamed_run_is_stopped_and_resumes_at_the_step_it_stopped_at(tmp_path: Path, uninterrupted: Curve) -> None:
    begun = start(tmp_path, "begun", "--detach")
    wait_for_step(begun, 3)
    folder = RunFolder(begun.path.rename(tmp_path / "stopped"))
    vlmft("stop", str(folder.path), code=0)
    assert wait_for_end(folder)["status"] == "stopped"
    (stopped,) = complete_ones(folder)
    assert not begun.path.exists()
    resume(folder)
    again = [record["step"] for record in RunTail(folder.logs).read() if record["event"] == "step"]
    assert again == list(range(1, 19)), f"stopped at {stopped.step}"
    joins(curve(folder), uninterrupted)
    assert vlmft("resume", str(folder.path), code=2).stderr == "vlmft: stopped has finished: nothing is left to do\n"


def test_a_run_is_resumed_on_its_own_data_and_number_of_processes_or_told_why_not(tmp_path: Path) -> None:
    data, preset = tmp_path / "mine.jsonl", tmp_path / "mine.yaml"

    def write(answer: str) -> None:
        rows = [{"instruction": f"say {number}", "output": answer} for number in range(100)]
        data.write_text("".join(json.dumps(row) + "\n" for row in rows))

    def refused() -> str:
        said = vlmft("resume", str(folder.path), code=2).stderr
        assert said.count("\n") == 1, said
        return said

    write("one")
    preset.write_text(f"extends: demo\ndata:\n  sources:\n    - {{task: qa, path: {data}}}\n")
    where = [f"--output-root={tmp_path}", "--run-name=own"]
    vlmft("run", str(preset), *settings(SMALL), "--set=hardware.gpus=1", *where, "--detach", code=0)
    folder = RunFolder(tmp_path / "own")
    wait_for_step(folder, 2)
    StopRequest("a test").write(folder)  # at once, for the steps are short
    wait_for_end(folder)
    end, said = folder.exit_file.read_text(), folder.preset_file.read_text()
    folder.preset_file.write_text(said.replace("gpus: 1", "gpus: 2"))
    assert "was made on 1 GPU or process and cannot be resumed on 2" in refused()
    assert folder.exit_file.read_text() == end
    folder.preset_file.write_text(said)
    write("two")
    assert "was made with other data: rows, or names or sizes of images, of the training and eval samples" in refused()
    assert json.loads(folder.exit_file.read_text())["status"] == "stopped"
    done = vlmft("resume", str(folder.path), "--data-changed", code=0)
    assert "going on with them was asked for" in done.stdout
