"""The shipped presets say what the published recipe says (docs/guide.md)."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from vlmft_core.plan import make_plan
from vlmft_core.preset import Preset, changed, dump_preset, find_presets, load_preset
from vlmft_core.preset.loader import leaves

FOLDER = Path(__file__).parents[2] / "presets"
REAL = ("quick", "standard", "good", "best", "ultimate")

RECIPE_TABLE: dict[str, tuple[Any, ...]] = {
    "training.epochs": (1, 2, 5, 6),
    "training.learning_rate": (2e-4, 1e-4, 5e-5, 4e-5),
    "training.scheduler": ("linear", "linear", "cosine", "cosine"),
    "training.warmup_ratio": (0.03, 0.03, 0.05, 0.06),
    "training.weight_decay": (0.0, 0.0, 0.01, 0.01),
    "evaluation.eval_steps": (500, 500, 500, 250),
    "checkpoints.save_total_limit": (None, None, 3, 5),
    "checkpoints.load_best_model_at_end": (False, False, True, True),
    "about.improvement": ("Baseline", "+5%", "+12%", "+15-20%"),
    "about.time": ("3-4h", "6-8h", "15-20h", "18-24h"),
}


def values(name: str) -> dict[str, Any]:
    return leaves(load_preset(name, [FOLDER]).preset.model_dump(mode="json"))


def test_exactly_the_six_presets_ship() -> None:
    assert set(find_presets([FOLDER])) == {*REAL, "demo"}


@pytest.mark.parametrize("column", range(4))
def test_the_published_comparison_table_is_what_the_files_say(column: int) -> None:
    found = values(REAL[column])
    assert {key: found[key] for key in RECIPE_TABLE} == {key: row[column] for key, row in RECIPE_TABLE.items()}


@pytest.mark.parametrize("name", REAL)
def test_images_are_decoded_beside_the_training_also_where_the_published_recipe_has_no_workers(name: str) -> None:
    preset = load_preset(name, [FOLDER]).preset
    assert preset.data.workers == 2
    assert ("recipe's 0" in preset.reasons["data.workers"]) == (name in ("quick", "standard", "good"))


@pytest.mark.parametrize("name", REAL)
def test_what_the_published_recipe_passes_to_every_training_holds(name: str) -> None:
    found = values(name)
    wanted = {
        "model.base": "Qwen/Qwen2.5-VL-7B-Instruct",
        "model.attention": "flash_attention_2",
        "data.max_train": 80000,
        "data.max_eval": 2000,
        "data.pin_memory": True,
        "lora.dropout": 0.05,
        "lora.vision_tower": False,
        "training.adam_beta1": 0.9,
        "training.adam_beta2": 0.999,
        "training.adam_epsilon": 1e-8,
        "training.logging_first_step": True,
        "training.logging_nan_inf_filter": True,
        "training.effective_batch": 128,
        "evaluation.metric_for_best_model": "eval_loss",
        "hardware.gpus": 8,
        "hardware.zero_stage": 2,
    }
    assert {key: found[key] for key in wanted} == wanted


def test_best_adapts_three_modules_at_rank_16_and_states_the_expected_accuracy() -> None:
    preset = load_preset("best", [FOLDER]).preset
    assert (preset.lora.r, preset.lora.alpha) == (16, 32)
    assert preset.lora.target_modules == ["q_proj", "v_proj", "o_proj"]
    assert preset.about.expected == {"chartqa": (65, 70), "textvqa": (76, 78)}
    assert load_preset("quick", [FOLDER]).preset.about.expected == {"chartqa": (56.5, 56.5), "textvqa": (74, 74)}


def test_ultimate_differs_from_best_only_in_its_adapter_and_what_that_leads_to() -> None:
    loaded = load_preset("ultimate", [FOLDER])
    assert loaded.extends == "best"
    assert {key for key in changed(loaded) if not key.startswith("about.")} == {
        "lora.r",
        "lora.alpha",
        "lora.target_modules",
    }
    lora = loaded.preset.lora
    assert (lora.r, lora.alpha) == (32, 64)
    assert lora.target_modules == ["q_proj", "v_proj", "k_proj", "o_proj", "gate_proj", "up_proj", "down_proj"]


@pytest.mark.parametrize("name", [*REAL, "demo"])
def test_every_parameter_has_a_one_line_reason(name: str) -> None:
    preset = load_preset(name, [FOLDER]).preset
    parameters = {key for key in leaves(Preset().model_dump()) if not key.startswith("about.")}
    assert set(preset.reasons) == parameters
    assert all(reason and "\n" not in reason and len(reason) < 120 for reason in preset.reasons.values())


@pytest.mark.parametrize("name", [*REAL, "demo"])
def test_a_shipped_preset_resolves_to_a_file_that_stands_alone(name: str, tmp_path: Path) -> None:
    preset = load_preset(name, [FOLDER]).preset
    path = tmp_path / "preset.yaml"
    path.write_text(dump_preset(preset))
    assert load_preset(path).preset == preset


def test_the_demo_needs_no_gpu_and_no_network() -> None:
    preset = load_preset("demo", [FOLDER]).preset
    assert (preset.hardware.device, preset.model.base, preset.model.precision) == ("cpu", "demo", "fp32")
    assert {source.path for source in preset.data.sources} == {"demo"}


@pytest.mark.parametrize(
    ("name", "steps", "warmup"), [("quick", 391, 12), ("standard", 782, 24), ("good", 1955, 98), ("best", 2346, 141)]
)
def test_the_step_counts_in_the_reasons_are_those_of_the_plan(name: str, steps: int, warmup: int) -> None:
    loaded = load_preset(name, [FOLDER])
    plan = make_plan(loaded.preset, samples=50_000)
    assert (plan.total_steps, plan.warmup_steps) == (steps, warmup)
    assert str(warmup) in loaded.preset.reasons["training.warmup_ratio"]
