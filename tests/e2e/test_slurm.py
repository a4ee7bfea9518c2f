"""Trainings over two nodes of a real Slurm cluster."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.launching import training
from tests.e2e.slurm import Cluster, cluster
from tests.e2e.slurm_run import Run
from vlmft_console.runs.folder import RunFolder
from vlmft_core.run_folder.checkpoints import complete_ones

pytestmark = pytest.mark.train

PRESET = """
model: {base: demo, precision: fp32}
lora: {r: 4, alpha: 8, dropout: 0.1}
data:
  sources: [{task: chartqa, path: demo, train_split: train, eval_split: val}]
  max_train: 24
  max_eval: 4
training: {epochs: 2, learning_rate: 0.005, effective_batch: 8, micro_batch: 4}
evaluation: {eval_steps: 100, answers: 0}
hardware: {device: cpu, gpus: 2, zero_stage: 2}
"""
"""Six steps."""


@pytest.fixture(scope="module")
def slurm() -> Iterator[Cluster]:
    # A socket's path has to be short.
    with tempfile.TemporaryDirectory(prefix="vlmft-") as folder, cluster(Path(folder) / "cluster") as made:
        yield made


def srun(slurm: Cluster, folder: Path, *options: str) -> subprocess.Popen[str]:
    """Train in `folder` under `srun`, two tasks."""
    line, environment = training(folder, PRESET, 2)
    program = line[line.index("vlmft_trainer.train_vlm_sft") :]
    start = ["srun", "--ntasks=2", "--kill-on-bad-exit=1", "--label", *options, sys.executable, "-P", "-m", *program]
    return slurm.start("login", *start, **environment)


def events(folder: Path, kind: str) -> list[dict[str, Any]]:
    lines = (folder / "logs" / "events-0001.jsonl").read_text().splitlines()
    return [record for record in map(json.loads, lines) if record["event"] == kind]


def test_two_nodes_train_as_two_ranks_of_one_host_do_to_the_last_bit(slurm: Cluster, tmp_path: Path) -> None:
    shapes = {"two": "--nodes=2", "one": "--nodes=1"}
    for name, nodes in shapes.items():
        ended = srun(slurm, tmp_path / name, nodes)
        said, _ = ended.communicate(timeout=400)
        assert ended.returncode == 0, said
        assert events(tmp_path / name, "run_end")[0]["status"] == "finished"
    two, one = (
        [(step["step"], step["loss"], step["grad_norm"]) for step in events(tmp_path / name, "step")] for name in shapes
    )
    assert len(two) == 6
    assert two == one
    assert {"rng_state_0.pth", "rng_state_1.pth"} <= {path.name for path in (tmp_path / "two/checkpoint-6").iterdir()}
    assert not (tmp_path / "two" / ".token").exists()


@pytest.mark.soak
@pytest.mark.timeout(3000)
def test_a_real_training_ends_with_the_same_losses_whatever_it_went_through(slurm: Cluster, tmp_path: Path) -> None:
    preset = tmp_path / "preset.yaml"
    preset.write_text(PRESET.replace("epochs: 2", "epochs: 50").replace("eval_steps: 100", "eval_steps: 20"))

    def begin(name: str) -> Run:
        where = [f"--output-root={tmp_path}", f"--run-name={name}", "--slurm=nodes=2,ntasks-per-node=1,exclusive"]
        slurm.vlmft("run", str(preset), "--detach", *where)
        return Run(slurm, RunFolder(tmp_path / name))

    def ended(run: Run, *states: str) -> int:
        """The step that it goes on from, once it has ended in one of these states."""
        run.wait(lambda: run.status()["state"] in states, 400)
        run.wait_for_state("FAILED", "PENDING", "CANCELLED")
        return complete_ones(run.folder)[-1].step

    cut, whole = begin("cut"), begin("whole")
    went_on: list[int | None] = [None]
    for harm in (stop, kill_a_rank, kill_the_supervisor, pull_the_cable, take_its_nodes):
        run, known = cut, cut.steps()
        run.wait(lambda known=known: cut.steps()[len(known) + 20 :], 1000)
        back = harm(run)
        went_on.append(ended(run, "queued") if back else ended(run, "stopped", "failed", "crashed"))
        if back:
            run.start_now()
        else:
            slurm.vlmft("resume", str(run.folder.path), "--detach")
    cut.finishes(600)
    whole.finishes(600)
    assert [start["resumed_from"] for start in cut.events("run_start")] == went_on
    straight = {step["step"]: (step["loss"], step["grad_norm"]) for step in whole.events("step")}
    assert list(straight) == list(range(1, 151))
    assert len(cut.steps()) > 150
    assert {(step["step"], step["loss"], step["grad_norm"]) for step in cut.events("step")} == {
        (step, *values) for step, values in straight.items()
    }
    digests = [complete_ones(run.folder)[-1].files["adapter_model.safetensors"]["sha256"] for run in (cut, whole)]
    assert digests[0] == digests[1]


def stop(run: Run) -> bool:
    run.slurm.vlmft("stop", str(run.folder.path))
    return False


def kill_a_rank(run: Run) -> bool:
    os.kill(run.rank(1), signal.SIGKILL)
    assert run.wait_for_end()["reason"].startswith("rank 1 on n2 was killed by SIGKILL")
    return False


def kill_the_supervisor(run: Run) -> bool:
    os.kill(run.supervisor(), signal.SIGKILL)
    return False


def pull_the_cable(run: Run) -> bool:
    run.slurm.cable("n2", plugged=False)
    try:
        run.wait_for_state("PENDING", seconds=200)
    finally:
        run.slurm.cable("n2", plugged=True)
    return True


def take_its_nodes(run: Run) -> bool:
    run.slurm.run("sbatch", "-p", "high", "-N2", "--exclusive", "--output=/dev/null", "--wrap=sleep 1")
    return True


def own_folder(slurm: Cluster, folder: Path) -> None:
    """From now on `n2` has a folder of its own in place of the one that all share, with the same files in it."""
    own = shutil.copytree(folder, folder.with_name("own"))
    assert slurm.start("n2", "mount", "--bind", str(own), str(folder)).wait(120) == 0


def test_a_file_that_one_node_lacks_is_a_line_of_that_node(slurm: Cluster, tmp_path: Path) -> None:
    (tmp_path / "there").mkdir()
    own_folder(slurm, tmp_path / "there")
    ended = srun(slurm, tmp_path / "there" / "run", "--nodes=2")
    said, _ = ended.communicate(timeout=400)
    assert ended.returncode != 0
    assert f"1: error: n2: {tmp_path / 'there' / 'run.yaml'}: cannot be read" in said
    assert "Traceback" not in said


@pytest.mark.soak
def test_a_run_folder_that_one_node_does_not_see_is_refused_before_training(slurm: Cluster, tmp_path: Path) -> None:
    shared = tmp_path / "there"
    shared.mkdir()
    training(shared / "run", PRESET, 2)  # writes the preset
    own_folder(slurm, shared)
    ended = srun(slurm, shared / "run", "--nodes=2")
    said, _ = ended.communicate(timeout=400)
    assert ended.returncode == 2, said
    assert f"0: error: n2 does not see the run folder {shared / 'run'} of the first host" in said
    assert "Traceback" not in said
    assert events(shared / "run", "run_end")[0]["status"] == "failed"
    assert not events(shared / "run", "step")
    assert not (tmp_path / "own" / "run").exists()
