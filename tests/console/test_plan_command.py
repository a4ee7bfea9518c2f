"""`vlmft plan`, as a person calls it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from tests.core.weights import copy_base
from tests.records import step, write_log
from vlmft_console.cli import app
from vlmft_console.paths import preset_folders
from vlmft_core.preset import dump_preset, load_preset

pytestmark = pytest.mark.usefixtures("here")


def call(*arguments: str) -> Result:
    return CliRunner().invoke(app, ["plan", *arguments])


def test_the_plan_of_best_at_50k_samples_shows_the_true_figures() -> None:
    result = call("best", "--samples", "50000")
    text = " ".join(result.stdout.split())
    assert result.exit_code == 0
    assert "391 an epoch, 2,346 in 6 epochs, 141 of them warm-up" in text
    assert "128 = 4 at once x 4 accumulated x 8 GPUs" in text
    assert "8,257,536 trainable, 8,292,166,656 in the base" in text
    assert "adapter 16.5 MB" in text
    assert "checkpoint 132 MB" in text
    assert "18.0 to 24.0 h: the published recipe's table" in text
    assert "warning: evaluation.eval_steps 250 gives 1.6 evals an epoch" in text


def test_fewer_gpus_keep_the_effective_batch_and_say_so() -> None:
    result = call("best", "--gpus", "2", "--json")
    plan = json.loads(result.stdout)
    assert (plan["preset"], plan["gpus"], plan["effective_batch"], plan["accumulation"]) == ("best", 2, 128, 16)
    assert "the effective batch stays 128, accumulation goes from 4 to 16" in plan["notes"][0]
    refused = call("best", "--gpus", "6")
    assert (refused.exit_code, refused.stdout) == (2, "")
    assert "cannot be shared evenly by 6 GPUs" in refused.stderr


def test_the_time_is_measured_where_an_earlier_run_computed_the_same(tmp_path: Path) -> None:
    folder = tmp_path / "outputs" / "first"
    (folder / "logs").mkdir(parents=True)
    preset = load_preset("best", preset_folders()).preset
    (folder / "preset.yaml").write_text(dump_preset(preset))
    (folder / "run.json").write_text("{}")
    steps = [step(number, samples_per_s=speed) for number, speed in ((1, 50), (2, 100), (3, 60))]
    write_log(folder / "logs" / "events-0001.jsonl", steps)

    plan = json.loads(call("best", "--samples", "60000", "--json").stdout)
    assert plan["hours_source"] == "measured: 60 samples/s in run first"
    assert plan["hours"] == pytest.approx([60_000 * 6 / 60 / 3600] * 2)
    assert "the published recipe's table" in json.loads(call("ultimate", "--json").stdout)["hours_source"]
    assert "the published recipe's table" in json.loads(call("best", "--gpus", "4", "--json").stdout)["hours_source"]


def test_a_value_can_be_tried_out() -> None:
    assert json.loads(call("best", "--set", "training.epochs=1", "--json").stdout)["total_steps"] == 492
    result = call("best", "--set", "training.epoch=1")
    assert (result.exit_code, result.stdout) == (2, "")
    assert result.stderr == "vlmft: --set training.epoch: unknown key (did you mean epochs?)\n"


def test_unknown_data_leave_figures_unknown_and_say_what_to_pass() -> None:
    result = call("best", "--set", "data.sources=[{task: chartqa, path: ./mine}]")
    assert result.exit_code == 0
    assert "steps unknown" in " ".join(result.stdout.split())
    assert "note: the size of the training data is unknown: pass --samples" in result.stdout


def test_what_cannot_be_trained_ends_with_one_line_and_exit_code_2(here: Path) -> None:
    weights = copy_base(here / "cut", 3) / "model-00002-of-00003.safetensors"
    weights.write_bytes(weights.read_bytes()[:1000])
    (here / "empty").mkdir()
    for override in (
        "lora.target_modules=[qkv]",
        "lora.vision_tower=true",
        "lora.start_from=./empty",
        "model.base=./nowhere",
        "model.base=./cut",
    ):
        result = call("best", "--set", override)
        assert (result.exit_code, result.stdout) == (2, "")
        assert result.stderr.count("\n") == 1
