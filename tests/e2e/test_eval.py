"""After a real training: evaluated again, asked, merged, all by the command line."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from vlmft_console.runs.folder import RunFolder
from vlmft_core.run_folder.tail import RunTail

VLMFT = str(Path(sys.executable).with_name("vlmft"))
pytestmark = pytest.mark.train

SMALL = {
    "data.max_train": "128",
    "data.max_eval": "24",
    "training.epochs": "2",
    "training.effective_batch": "16",
    "evaluation.eval_steps": "8",
    "evaluation.answers": "10",
    "evaluation.answers_at_evals": "6",
    "evaluation.max_new_tokens": "6",
    "hardware.offload": "optimizer",
    "training.report_to": "[tensorboard]",
}
WRITER = """
import json, pathlib

class SummaryWriter:
    def __init__(self, log_dir):
        self.file = pathlib.Path(log_dir) / "scalars.jsonl"
        self.file.parent.mkdir(parents=True, exist_ok=True)

    def add_scalar(self, tag, value, step):
        with self.file.open("a") as file:
            file.write(json.dumps([tag, value, step]) + "\\n")

    def __getattr__(self, name):
        return lambda *args, **kwargs: None
"""
"""Stands in for a package that writes TensorBoard files."""


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> RunFolder:
    """A short run of the demo, finished."""
    root, packages = tmp_path_factory.mktemp("outputs"), tmp_path_factory.mktemp("packages")
    (packages / "tensorboardX.py").write_text(WRITER)
    settings = [f"--set={key}={value}" for key, value in SMALL.items()]
    vlmft(["run", "demo", "--run-name=small", f"--output-root={root}", *settings], PYTHONPATH=str(packages))
    return RunFolder(root / "small")


def vlmft(arguments: list[str], code: int = 0, **environment: str) -> subprocess.CompletedProcess[str]:
    done = subprocess.run(
        [VLMFT, *arguments], capture_output=True, text=True, check=False, timeout=500, env=os.environ | environment
    )
    assert done.returncode == code, done.stdout[-2000:] + done.stderr[-2000:]
    assert "Traceback" not in done.stdout + done.stderr
    return done


def evaluated(arguments: list[str]) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(vlmft(["eval", *arguments, "--json"]).stdout)
    return found


def side(found: dict[str, Any], name: str) -> dict[str, Any]:
    return {task: one[name] for task, one in found["tasks"].items()}


def measured(run: RunFolder) -> list[tuple[int, dict[str, Any]]]:
    """Step and tasks of the evals that answered questions: the base's, those while training, the adapter's."""
    return [
        (one["step"], one["tasks"]) for one in RunTail(run.logs).read() if one["event"] == "eval" and "tasks" in one
    ]


def test_accuracy_measured_during_training_is_what_eval_finds_afterwards(run: RunFolder) -> None:
    (first, base), *between, (_, tuned) = measured(run)
    assert first == 0
    assert [step for step, _ in between] == [8, 16]
    found = evaluated([str(run.path)])
    assert side(found, "base") == base
    assert side(found, "tuned") == tuned
    step, scores = between[0]
    at_eval = evaluated([str(run.path / f"checkpoint-{step}"), "--limit=6"])
    assert side(at_eval, "tuned") == scores


def test_one_process_finds_what_two_find_and_a_killed_eval_goes_on(run: RunFolder, tmp_path: Path) -> None:
    two = evaluated([str(run.path), f"--output={tmp_path / 'two'}"])
    command = [VLMFT, "eval", str(run.path), "--gpus=1", f"--output={tmp_path / 'one'}", "--json"]
    settings = ["--set=evaluation.micro_batch=1"]
    with subprocess.Popen([*command, *settings], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as child:
        assert child.stderr is not None
        for line in child.stderr:
            if "tuned: 0 of" in line:
                break
        child.send_signal(signal.SIGKILL)
    kept = (tmp_path / "one" / "chartqa-base.jsonl").read_text()
    assert kept.count("\n") == 10
    one = evaluated([str(run.path), "--gpus=1", f"--output={tmp_path / 'one'}", *settings])
    assert one["tasks"] == two["tasks"]
    assert (tmp_path / "one" / "chartqa-base.jsonl").read_text() == kept


def test_a_merged_run_is_a_base_that_answers_like_the_adapter(run: RunFolder, tmp_path: Path) -> None:
    merged = tmp_path / "merged"
    vlmft(["merge", str(run.path), f"--output={merged}"])
    again = vlmft(["merge", str(run.path), f"--output={merged}"], code=2)
    assert again.stderr.startswith("vlmft: ")
    assert again.stderr.count("\n") == 1
    picture = tmp_path / "red.png"
    from PIL import Image

    Image.new("RGB", (140, 112), (200, 30, 30)).save(picture)
    asked = ["--image", str(picture), "Which colour is this?", "--task=textvqa", "--json"]
    answers = [
        json.loads(vlmft(["predict", str(model), *asked, *device]).stdout)["answer"]
        for model, device in ((run.path, []), (merged, ["--preset=demo"]))
    ]
    assert answers[0] == answers[1]


def test_the_card_has_the_curve_and_the_scores(run: RunFolder) -> None:
    card = (run.adapter / "README.md").read_text()
    assert "    train loss " in card
    assert "| 16 | 2.00 |" in card
    assert "| chartqa relaxed_accuracy |" in card


def test_metrics_go_to_the_service_that_was_named(run: RunFolder) -> None:
    (file,) = run.path.rglob("scalars.jsonl")
    said = [json.loads(line) for line in file.read_text().splitlines()]
    losses = {step: value for tag, value, step in said if tag == "train/loss"}
    logged = {one["step"]: one["loss"] for one in RunTail(run.logs).read() if one["event"] == "step"}
    assert losses == pytest.approx(logged, abs=1e-4)
    assert [step for tag, _, step in said if tag == "eval/loss"] == [8, 16]
