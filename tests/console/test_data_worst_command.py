"""`vlmft data worst` and `vlmft data step`: what is asked of the trainer's programs, and what is told of it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from tests import records
from tests.console.trained_models import Asked
from tests.saved_run import saved_run
from vlmft_console.cli import app
from vlmft_console.runs.folder import RunFolder

pytestmark = pytest.mark.usefixtures("here")

PICTURE = {"size": [1, 1], "pixels": "ff0000"}


def bad(number: int, base: float, tuned: float | None, **changes: Any) -> dict[str, Any]:
    return {
        "where": f"train.json, line {number}",
        "task": "chartqa",
        "question": f"How high is bar {number}?\nAnswer with one word.",
        "truth": [str(number)],
        "base": base,
        "tuned": tuned,
        "tokens": 3,
        "answer": "7",
        "right": 0.0,
        "image": f"png/{number}.png",
        "images": 1,
        "picture": PICTURE,
        **changes,
    }


FOUND = {
    "samples": 2000,
    "of": 5000,
    "fingerprint": "aa",
    "by_loss": [0, 1],
    "by_worsening": [1],
    "found": [bad(3, 5.0, 4.5), bad(9, 0.25, 1.75, answer="\x1b[2J9", right=1.0)],
}


def vlmft(*arguments: str) -> Result:
    return CliRunner().invoke(app, ["data", *arguments])


def row(number: int, micro: int = 0) -> dict[str, Any]:
    return {
        "where": f"train.json, line {number}",
        "task": "chartqa",
        "question": "How high?\nOne word.",
        "truth": ["5"],
        "tokens": 70,
        "supervised": 2,
        "image": "",
        "images": 1,
        "micro_batch": micro,
    }


def test_the_worst_samples_are_told_with_row_losses_and_answer(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run = saved_run(tmp_path / "outputs")
    asked = Asked(("worst", FOUND)).put(monkeypatch)
    done = vlmft("worst", "mine@10", "--limit", "2", "--source", "chartqa", "--data", "eval")
    assert done.exit_code == 0, done.output
    assert "largest loss, of 2,000 of 5,000 eval samples" in done.stdout
    assert "1. train.json, line 3: base 5.000 -> 4.500 (-0.5000)" in done.stdout
    assert "made worse most, of 2,000 of 5,000 eval samples\n1. train.json, line 9" in done.stdout
    assert "base 0.2500 -> 1.750 (+1.500), see above" in done.stdout
    assert "\x1b" not in done.stdout
    assert "▀" not in done.stdout
    job = asked.job
    assert (asked.program, job.adapter) == ("worst", str(run.checkpoint(10)))
    assert (job.part, job.source, job.limit, job.samples) == ("eval", "chartqa", 2, 2000)


def test_an_interrupted_one_says_how_far_it_was_and_that_nothing_is_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    saved_run(tmp_path / "outputs")
    far = {"task": "training data", "side": "base and adapter", "done": 1200, "total": 2000}
    Asked(("progress", far), error=KeyboardInterrupt()).put(monkeypatch)
    done = vlmft("worst", "mine")
    assert (done.exit_code, done.stdout) == (130, "")
    assert done.stderr == "interrupted; 1,200 of 2,000 samples looked at, nothing of it is kept\n"


def test_json_has_every_figure_and_no_pixels(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    saved_run(tmp_path / "outputs")
    asked = Asked(("worst", FOUND)).put(monkeypatch)
    found = json.loads(vlmft("worst", "mine", "--samples", "0", "--json").stdout)
    assert asked.job.samples is None
    assert [one["tuned"] for one in found["found"]] == [4.5, 1.75]
    assert "picture" not in found["found"][0]
    assert (found["by_loss"], found["data"]) == ([0, 1], "training")


def test_the_rows_of_a_step_are_listed_and_suspects_marked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run = saved_run(tmp_path / "outputs")
    odd: dict[str, Any] = {"step": 12, "why": "the loss is not finite", "of": 2}
    odd |= {"rows": ["train.json, line 1"], "suspects": ["train.json, line 4"]}
    with run.events_file().open("a") as log:
        log.write(json.dumps(records.record("rows", 99, **odd)) + "\n")
    asked = Asked(("rows", {"data": "x", "epoch": 2, "rows": [row(3), row(4, 1)]})).put(monkeypatch)
    done = vlmft("step", "mine", "12")
    assert done.exit_code == 0, done.output
    lines = done.stdout.splitlines()
    assert lines[0] == "step 12: the loss is not finite"
    assert lines[2].startswith("  train.json, line 3  1     70      How high? …  5")
    assert lines[3].startswith("> train.json, line 4  2")
    assert lines[4] == "2 rows of step 12, epoch 2"
    assert (asked.job.step, asked.job.shared) == (12, False)
    found = json.loads(vlmft("step", "mine", "12", "--json").stdout)
    assert [one["suspect"] for one in found["rows"]] == [False, True]


def planned(run: RunFolder, **fields: Any) -> None:
    text = run.events_file().read_text()
    run.events_file().write_text(text.replace('"event": "plan"', f'"event": "plan", {json.dumps(fields)[1:-1]}'))


def test_other_data_than_the_runs_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    planned(saved_run(tmp_path / "outputs"), train_data="a", share_images=True)
    asked = Asked(("rows", {"data": "b", "epoch": 1, "rows": []})).put(monkeypatch)
    refused = vlmft("step", "mine", "5")
    assert (refused.exit_code, refused.stdout) == (2, "")
    assert "is not what step 5 of mine was trained on" in refused.stderr
    assert asked.job.shared


@pytest.mark.parametrize("step", ["31", "9999"])
def test_a_step_that_was_not_made_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, step: str) -> None:
    saved_run(tmp_path / "outputs")
    asked = Asked().put(monkeypatch)
    refused = vlmft("step", "mine", step)
    assert (refused.exit_code, refused.stderr.count("\n")) == (2, 1)
    assert "it has made 30" in refused.stderr
    assert asked.job is None


def test_samples_that_are_not_those_of_the_run_are_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    planned(saved_run(tmp_path / "outputs"), train_data="aa", eval_data="bb")
    Asked(("worst", FOUND), ("worst", FOUND)).put(monkeypatch)
    assert "is not what" not in vlmft("worst", "mine@10").stderr
    said = vlmft("worst", "mine@10", "--data", "eval").stderr
    assert said.count("note: the eval data is not what mine@10 had: rows, or names or sizes of images, differ") == 1
