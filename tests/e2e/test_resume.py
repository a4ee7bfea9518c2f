"""Runs that ended too early, really killed or stopped, and went on from their newest complete checkpoint."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from vlmft_console.runs.folder import RunFolder
from vlmft_console.runs.registry import read_run
from vlmft_core.run_folder.checkpoints import complete_ones
from vlmft_core.run_folder.tail import RunTail

VLMFT = str(Path(sys.executable).with_name("vlmft"))
SMALL = [
    f"--set={change}"
    for change in (
        "data.max_train=96",
        "data.max_eval=24",
        "evaluation.answers=0",
        "evaluation.eval_steps=6",
        "training.epochs=6",
        "training.effective_batch=32",
        "training.micro_batch=16",
    )
]
pytestmark = pytest.mark.train


def start(root: Path, name: str, *options: str) -> RunFolder:
    argv = [VLMFT, "run", "demo", *SMALL, f"--output-root={root}", f"--run-name={name}", *options]
    subprocess.run(argv, check=True, capture_output=True, timeout=300)
    return RunFolder(root / name)


def resume(folder: RunFolder) -> None:
    done = subprocess.run([VLMFT, "resume", str(folder.path)], capture_output=True, text=True, timeout=300, check=False)
    log = folder.training_log
    assert done.returncode == 0, done.stdout + done.stderr + (log.read_text()[-2000:] if log else "")


def wait_for_step(folder: RunFolder, step: int) -> None:
    deadline = time.monotonic() + 180
    while read_run(folder)[0].step < step:
        assert time.monotonic() < deadline
        assert not folder.exit_file.exists(), folder.exit_file.read_text()
        time.sleep(0.05)


def wait_for_end(folder: RunFolder, seconds: float = 60.0) -> dict[str, Any]:
    deadline = time.monotonic() + seconds
    while not folder.exit_file.exists():
        assert time.monotonic() < deadline
        time.sleep(0.05)
    record: dict[str, Any] = json.loads(folder.exit_file.read_text())
    return record


def curve(folder: RunFolder) -> dict[int, tuple[float, float]]:
    """Learning rate and loss by step; a step made again counts as made last."""
    steps = [record for record in RunTail(folder.logs).read() if record["event"] == "step"]
    return {record["step"]: (record["lr"], record["loss"]) for record in steps}


@pytest.fixture(scope="module")
def uninterrupted(tmp_path_factory: pytest.TempPathFactory) -> dict[int, tuple[float, float]]:
    return curve(start(tmp_path_factory.mktemp("outputs"), "whole"))


def joins(part: dict[int, tuple[float, float]], whole: dict[int, tuple[float, float]]) -> None:
    assert part.keys() == whole.keys()
    for step, (rate, loss) in whole.items():
        assert part[step][0] == pytest.approx(rate, rel=1e-12)
        assert part[step][1] == pytest.approx(loss, abs=1e-4)


def test_a_killed_run_resumes_from_its_newest_checkpoint_onto_the_same_curves(
    tmp_path: Path, uninterrupted: dict[int, tuple[float, float]]
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


def test_a_stopped_run_resumes_at_the_step_it_stopped_at(
    tmp_path: Path, uninterrupted: dict[int, tuple[float, float]]
) -> None:
    folder = start(tmp_path, "stopped", "--detach")
    wait_for_step(folder, 3)
    subprocess.run([VLMFT, "stop", str(folder.path)], check=True, capture_output=True, timeout=120)
    assert wait_for_end(folder)["status"] == "stopped"
    (stopped,) = complete_ones(folder)
    resume(folder)
    again = [record["step"] for record in RunTail(folder.logs).read() if record["event"] == "step"]
    assert again == list(range(1, 19)), f"stopped at {stopped.step}"
    joins(curve(folder), uninterrupted)
    done = subprocess.run([VLMFT, "resume", str(folder.path)], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (2, "vlmft: stopped has finished: nothing is left to do\n")


def test_a_run_is_not_resumed_under_another_plan(tmp_path: Path) -> None:
    folder = start(tmp_path, "changed", "--detach")
    wait_for_step(folder, 2)
    subprocess.run([VLMFT, "stop", str(folder.path)], check=True, capture_output=True, timeout=120)
    folder.preset_file.write_text(folder.preset_file.read_text().replace("epochs: 6", "epochs: 12"))
    done = subprocess.run([VLMFT, "resume", str(folder.path)], capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 2
    assert "was made under another plan: total_steps 18 -> 36" in done.stdout + done.stderr
