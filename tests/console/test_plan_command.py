"""`vlmft plan`, as a person calls it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from tests.core.weights import copy_base
from tests.fake_gpus import fake_gpus
from tests.records import plan, step, write_log
from vlmft_console.cli import app
from vlmft_console.paths import preset_folders
from vlmft_core.preset import dump_preset, load_preset

ROOT = Path(__file__).parents[2]

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
    assert "memory about 35.2 GiB of 80.0 on A100-SXM4-80GB; activations kept, chosen by the memory" in text
    assert "of which activations 17.4, weights 15.4, fixed 2.0," in text
    assert "time 2.1 to 3.7 h: 50,000 samples x 6 epochs x 27.8 TFLOP / (8 x 312 TFLOP/s x 25-45 % MFU)" in text
    assert "note: the published recipe's table has 18 h on 8 A100" in text
    assert "warning: evaluation.eval_steps 250 gives 1.6 evals an epoch" in text


def test_fewer_gpus_keep_the_effective_batch_and_say_so() -> None:
    result = call("best", "--gpus", "2", "--json")
    told = json.loads(result.stdout)
    assert (told["preset"], told["gpus"], told["effective_batch"], told["accumulation"]) == ("best", 2, 128, 16)
    assert "the effective batch stays 128, accumulation goes from 4 to 16" in told["notes"][0]
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

    told = json.loads(call("best", "--samples", "60000", "--json").stdout)
    assert told["hours_source"] == "measured: 60.00 samples/s in run first"
    assert told["hours"] == pytest.approx([60_000 * 6 / 60 / 3600] * 2)
    for other in (("ultimate",), ("best", "--gpus", "4"), ("best", "--gpu", "H100")):
        assert "TFLOP" in json.loads(call(*other, "--json").stdout)["hours_source"]


def test_a_run_that_says_it_had_other_gpus_has_not_measured_these(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "outputs" / "first"
    (folder / "logs").mkdir(parents=True)
    (folder / "preset.yaml").write_text(dump_preset(load_preset("best", preset_folders()).preset))
    (folder / "run.json").write_text("{}")
    planned = plan(gpu="NVIDIA H100 80GB HBM3")
    write_log(folder / "logs" / "events-0001.jsonl", [planned, step(1, samples_per_s=50)])
    fake_gpus(tmp_path / "bin", monkeypatch, ["NVIDIA L40S, 46068, 8.9"] * 8)
    assert "TFLOP" in json.loads(call("best", "--json").stdout)["hours_source"]
    fake_gpus(tmp_path / "bin", monkeypatch, ["NVIDIA H100 80GB HBM3, 81559, 9.0"] * 8)
    assert json.loads(call("best", "--json").stdout)["hours_source"] == "measured: 50.00 samples/s in run first"


def test_hours_and_memory_are_told_for_the_gpu_that_is_named() -> None:
    told = json.loads(call("best", "--samples", "50000", "--gpu", "H100", "--json").stdout)
    assert (told["gpu"], told["fits"], told["recomputed_every"]) == ("H100 80GB HBM3", True, 0)
    assert told["hours"] == pytest.approx([0.651, 1.17], rel=0.01)
    assert "989 TFLOP/s x 25-45 % MFU" in told["hours_source"]
    assert sum(told["memory"].values()) == told["gpu_memory_bytes"] < told["gpu_bytes"]
    refused = call("best", "--gpu", "H1000")
    assert (refused.exit_code, refused.stdout) == (2, "")
    assert "--gpu 'H1000': not known (did you mean H100 80GB HBM3? known are H100, A100" in refused.stderr


def test_a_plan_of_less_than_a_minute_does_not_take_0_min() -> None:
    times = {"300": "0.2 to 0.4 min: ", "20000": "16 to 28 min: "}
    for samples, time in times.items():
        assert f"time             {time}" in call("best", "--samples", samples, "--gpu", "H100").stdout


def test_readme_and_guide_have_the_hours_that_the_command_prints() -> None:
    pages = [(ROOT / name).read_text().replace("\n", " ") for name in ("README.md", "docs/guide.md")]
    for gpu in ("A100", "H100"):
        fast, slow = json.loads(call("best", "--samples", "50000", "--gpu", gpu, "--json").stdout)["hours"]
        assert all(f"{fast:.1f} to {slow:.1f} h" in page for page in pages)
    shared = call("best", "--samples", "50000", "--gpu", "H100", "--set", "training.share_images=auto").stdout
    assert "time             26 to 46 min: " in shared
    assert "1.4 to 2.5 h and 26 to 46 min" in pages[0]


def test_the_gpus_of_this_machine_are_planned_for_without_being_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fake_gpus(tmp_path / "bin", monkeypatch, ["NVIDIA L40S, 46068, 8.9", "NVIDIA RTX A4000, 16376, 8.6"])
    told = json.loads(call("best", "--json").stdout)
    assert (told["gpu"], told["gpu_bytes"], told["fits"]) == ("RTX A4000", 16376 << 20, False)
    assert "so is the peak of RTX A4000" in told["hours_source"]
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "0")
    assert json.loads(call("best", "--json").stdout)["gpu"] == "L40S"


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
