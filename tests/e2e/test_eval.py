"""After a real training: evaluated again, asked, merged, all by the command line."""

from __future__ import annotations

import json
import signal
import subprocess
from pathlib import Path
from typing import Any

import pytest

from tests.command_line import VLMFT, vlmft
from vlmft_console.runs.folder import RunFolder
from vlmft_core.run_folder.tail import RunTail

pytestmark = [pytest.mark.train, pytest.mark.xdist_group("the short run")]


def evaluated(arguments: list[str]) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(vlmft("eval", *arguments, "--json", code=0).stdout)
    return found


@pytest.fixture(scope="module")
def again(short_run: RunFolder) -> dict[str, Any]:
    """What an evaluation of the finished run says."""
    return evaluated([str(short_run.path)])


def side(found: dict[str, Any], name: str) -> dict[str, Any]:
    """The scores of one side, without their intervals."""
    return {
        task: {metric: score for metric, score in one[name].items() if metric not in ("low", "high")}
        for task, one in found["tasks"].items()
    }


def measured(short_run: RunFolder) -> list[tuple[int, dict[str, Any]]]:
    """Step and tasks of the evals that answered questions: the base's, those while training, the adapter's."""
    return [
        (one["step"], one["tasks"])
        for one in RunTail(short_run.logs).read()
        if one["event"] == "eval" and "tasks" in one
    ]


def test_accuracy_measured_during_training_is_what_eval_finds_afterwards(
    short_run: RunFolder, again: dict[str, Any]
) -> None:
    (first, base), *between, (_, tuned) = measured(short_run)
    assert first == 0
    assert [step for step, _ in between] == [6, 12, 18]
    assert side(again, "base") == base
    assert side(again, "tuned") == tuned
    step, scores = between[0]
    at_eval = evaluated([str(short_run.path / f"checkpoint-{step}"), "--limit=6", "--gpus=1"])
    assert side(at_eval, "tuned") == scores


def test_one_process_finds_what_two_find_and_a_killed_eval_goes_on(
    short_run: RunFolder, again: dict[str, Any], tmp_path: Path
) -> None:
    command = [VLMFT, "eval", str(short_run.path), "--gpus=1", f"--output={tmp_path / 'one'}", "--json"]
    settings = ["--set=evaluation.micro_batch=1"]
    with subprocess.Popen([*command, *settings], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as child:
        assert child.stderr is not None
        for line in child.stderr:
            if "tuned: 0 of" in line:
                break
        child.send_signal(signal.SIGKILL)
    kept = (tmp_path / "one" / "chartqa-base.jsonl").read_text()
    assert kept.count("\n") == 10
    one = evaluated([str(short_run.path), "--gpus=1", f"--output={tmp_path / 'one'}", *settings])
    assert one["tasks"] == again["tasks"]
    assert (tmp_path / "one" / "chartqa-base.jsonl").read_text() == kept


def test_a_merged_run_is_a_base_that_answers_like_the_adapter(short_run: RunFolder, tmp_path: Path) -> None:
    merged = tmp_path / "merged"
    vlmft("merge", str(short_run.path), f"--output={merged}", code=0)
    refused = vlmft("merge", str(short_run.path), f"--output={merged}", code=2)
    assert refused.stderr.startswith("vlmft: ")
    assert refused.stderr.count("\n") == 1
    picture = tmp_path / "red.png"
    from PIL import Image

    Image.new("RGB", (140, 112), (200, 30, 30)).save(picture)
    asked = ["--image", str(picture), "Which colour is this?", "--task=textvqa", "--json"]
    answers = [
        json.loads(vlmft("predict", str(model), *asked, *device, code=0).stdout)["answer"]
        for model, device in ((short_run.path, []), (merged, ["--preset=demo"]))
    ]
    assert answers[0] == answers[1]


def test_the_card_has_the_curve_and_the_scores(short_run: RunFolder) -> None:
    card = (short_run.adapter / "README.md").read_text()
    assert "    train loss " in card
    assert "| 18 | 6.00 |" in card
    assert "| chartqa relaxed_accuracy |" in card


def test_metrics_go_to_the_service_that_was_named(short_run: RunFolder) -> None:
    (file,) = short_run.path.rglob("scalars.jsonl")
    said = [json.loads(line) for line in file.read_text().splitlines()]
    losses = {step: value for tag, value, step in said if tag == "train/loss"}
    logged = {one["step"]: one["loss"] for one in RunTail(short_run.logs).read() if one["event"] == "step"}
    assert losses == pytest.approx(logged, abs=1e-4)
    assert [step for tag, _, step in said if tag == "eval/loss"] == [6, 12, 18]
