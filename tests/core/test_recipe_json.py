"""The published recipe's JSON: read with its old option names, written back, and never misread in silence."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from vlmft_core.errors import PresetError
from vlmft_core.preset import LoadedPreset, Preset, load_preset, load_sft_config
from vlmft_core.preset.recipe_json import from_recipe_json, recipe_arguments, to_recipe_json

FOLDER = Path(__file__).parents[2] / "presets"

RECIPE = """{
\t"num_train_epochs": 6,
  "learning_rate": 4e-5,
  "lr_scheduler_type": "cosine",
  "warmup_ratio": 0.06,
  "weight_decay": 0.01,
  "eval_strategy": "steps",
  "eval_steps": 250,
  "save_total_limit": 3,  // Keep only top 3 (144MB)
  "load_best_model_at_end": true,
  "metric_for_best_model": "eval_loss",
  "greater_is_better": false,
  "adam_beta1": 0.9, "adam_beta2": 0.999, "adam_epsilon": 1e-8,
  "dataloader_num_workers": 2,
  "dataloader_pin_memory": true,
  "logging_first_step": true,
  "logging_nan_inf_filter": true,
  "bf16": true, "fp16": false,
  "per_device_train_batch_size": 2,
  "gradient_accumulation_steps": 8,
  "report_to": "none" // see http://example.org
}
"""


def load(tmp_path: Path, text: str | dict[str, Any], gpus: int | None = None) -> LoadedPreset:
    path = tmp_path / "sft_config.json"
    path.write_text(text if isinstance(text, str) else json.dumps(text, indent=1))
    return load_sft_config(path, gpus=gpus)


def refused(tmp_path: Path, text: str | dict[str, Any]) -> list[str]:
    with pytest.raises(PresetError) as caught:
        load(tmp_path, text)
    return [line.removeprefix(f"{tmp_path}/") for line in str(caught.value).splitlines()]


def test_the_published_options_become_preset_values(tmp_path: Path) -> None:
    loaded = load(tmp_path, RECIPE)
    best = load_preset("best", [FOLDER]).preset
    expected = {
        **best.training.model_dump(),
        "micro_batch": 2,
    }
    assert loaded.preset.training.model_dump() == expected
    assert loaded.preset.evaluation.eval_steps == 250
    assert (loaded.preset.checkpoints.save_total_limit, loaded.preset.checkpoints.load_best_model_at_end) == (3, True)
    assert (loaded.preset.data.workers, loaded.preset.data.pin_memory) == (2, True)
    assert loaded.preset.model.precision == "bf16"
    assert loaded.origins["training.epochs"] == (str(tmp_path / "sft_config.json"), 2)


def test_what_is_left_out_or_worked_out_is_said(tmp_path: Path) -> None:
    notes = load(tmp_path, RECIPE).notes
    assert "report_to is left out: vlmft writes its own event log" in notes
    assert "effective batch 128: 2 a GPU x 8 accumulated x 8 GPUs" in notes
    assert load(tmp_path, {"learning_rate": 1e-4}).notes == (
        "not in the file, so vlmft's default: num_train_epochs 6, lr_scheduler_type cosine, "
        "warmup_ratio 0.06, weight_decay 0.01, save_total_limit 5, load_best_model_at_end True",
    )


def test_the_effective_batch_follows_the_gpus_that_run_it(tmp_path: Path) -> None:
    preset = load(tmp_path, RECIPE, gpus=2).preset
    assert (preset.training.effective_batch, preset.hardware.gpus, preset.accumulation) == (32, 2, 8)
    assert load(tmp_path, {"seed": 1}, gpus=3).preset.training.effective_batch == 128


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"num_train_epoch": 6}, "num_train_epoch: unknown option (did you mean num_train_epochs?)"),
        ({"lora": 6}, "lora: unknown option (remove it)"),
        ({"eval_strategy": "epoch"}, "eval_strategy: not supported: 'epoch' (write steps"),
        ({"evaluation_strategy": "no"}, "evaluation_strategy: not supported: 'no'"),
        ({"save_strategy": "epoch"}, "save_strategy: not supported"),
        ({"save_steps": 500, "eval_steps": 250}, "save_steps: 500, but eval_steps is 250 (make them equal"),
        ({"save_steps": 500}, "save_steps: 500, but eval_steps is not stated"),
        ({"greater_is_better": True}, "greater_is_better: True contradicts metric_for_best_model eval_loss"),
        ({"metric_for_best_model": "f1"}, "metric_for_best_model: not supported: 'f1'"),
        ({"lr_scheduler_type": "polynomial"}, "lr_scheduler_type: not supported: 'polynomial'"),
        ({"lr_scheduler_type": "constant", "warmup_ratio": 0.1}, "constant has no warm-up"),
        ({"fp16": True, "bf16": True}, "bf16 and fp16 are both on"),
        ({"fp16": "yes"}, "fp16: must be true or false, not 'yes'"),
        ({"warmup_steps": 150}, "warmup_steps: vlmft states the warm-up as a share of all steps (use warmup_ratio)"),
        ({"max_steps": 100}, "max_steps: vlmft states the length in epochs"),
        ({"optim": "adafactor"}, "optim: not supported: 'adafactor'"),
        ({"gradient_accumulation_steps": 0}, "gradient_accumulation_steps: must be a whole number from 1, not 0"),
        ({"num_train_epochs": 0}, "training.epochs: must be above 0, not 0"),
        ({"learning_rate": "4e-5"}, "training.learning_rate: must be a number, not '4e-5'"),
    ],
)
def test_what_vlmft_cannot_do_as_asked_is_refused(tmp_path: Path, options: dict[str, Any], message: str) -> None:
    lines = refused(tmp_path, options)
    assert lines[0].startswith("sft_config.json:2: ") or lines[0].startswith("sft_config.json:3: ")
    assert message in lines[0]


@pytest.mark.parametrize(
    "text", ['{"seed": 1, "seed": 2}', '{"seed": NaN}', '{"seed": 1', "[1]", "", '{"a": ' + "[" * 99]
)
def test_broken_json_is_refused_in_one_line(tmp_path: Path, text: str) -> None:
    lines = refused(tmp_path, text)
    assert len(lines) == 1
    assert lines[0].startswith("sft_config.json:")


def test_slashes_inside_text_are_no_comment(tmp_path: Path) -> None:
    assert load(tmp_path, '{"logging_dir": "http://x/\\"//y", "seed": 7} // end').preset.training.seed == 7


def test_transformers_5_names_its_warm_up_share_warmup_steps(tmp_path: Path) -> None:
    assert load(tmp_path, {"warmup_steps": 0.1}).preset.training.warmup_ratio == 0.1
    assert load(tmp_path, {"lr_scheduler_type": "constant"}).preset.training.warmup_ratio == 0


@pytest.mark.parametrize("name", ["quick", "standard", "good", "best", "ultimate", "demo"])
def test_what_the_json_can_say_comes_back_unchanged(tmp_path: Path, name: str) -> None:
    preset = load_preset(name, [FOLDER]).preset
    path = tmp_path / "out.json"
    path.write_text(to_recipe_json(preset))
    config = from_recipe_json(path, preset.hardware.gpus)
    original = preset.model_dump(mode="json")
    for section, values in config.sections.items():
        assert values == {key: original[section][key] for key in values}
    back = load_sft_config(path, gpus=preset.hardware.gpus).preset
    assert back.training == preset.training
    assert back.checkpoints == preset.checkpoints
    assert json.loads(to_recipe_json(back)).items() <= json.loads(to_recipe_json(preset)).items() | {("bf16", False)}


def test_the_published_command_line_says_the_rest() -> None:
    arguments = recipe_arguments(load_preset("best", [FOLDER]).preset)
    assert arguments == [
        "--base_model=Qwen/Qwen2.5-VL-7B-Instruct",
        "--max_train=80000",
        "--max_eval=2000",
        "--lora_r=16",
        "--lora_alpha=32",
        "--lora_dropout=0.05",
        "--target_modules=q_proj,v_proj,o_proj",
        "--flash_attn",
    ]
    assert "--max_train=80000" not in recipe_arguments(Preset.model_validate({"data": {"max_train": None}}))


def test_a_yaml_preset_is_loaded_as_it_is() -> None:
    loaded = load_sft_config(FOLDER / "good.yaml", [FOLDER], ["training.seed=5"])
    assert (loaded.preset.training.epochs, loaded.preset.training.seed) == (5, 5)


@pytest.mark.parametrize(
    "text",
    [
        '{\n  "num_train_epochs": 6\n}',
        '// best\n{ // all of it\n "learning_rate": 4e-5, // slow\n}',
        '{"output_dir": "x", "bf16": true}',
    ],
)
def test_the_json_in_the_place_of_a_preset_is_told_from_one(tmp_path: Path, text: str) -> None:
    path = tmp_path / "my config.json"
    path.write_text(text)
    with pytest.raises(PresetError) as caught:
        load_preset(path, [FOLDER])
    assert str(caught.value) == (
        f"{path}: this is the published recipe's JSON, not a preset"
        f" (make one of it: vlmft presets import '{path}' -o 'my config'.yaml)"
    )


def test_a_preset_may_be_written_as_json(tmp_path: Path) -> None:
    path = tmp_path / "own.json"
    path.write_text('{"extends": "best", "training": {"learning_rate": 1e-5}}')
    assert load_preset(str(path), [FOLDER]).preset.training.learning_rate == 1e-5
