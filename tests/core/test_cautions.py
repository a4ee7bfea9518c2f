"""What a plan warns of: scores and promises that the data cannot bear out, and settings that suit another preset."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from vlmft_core.plan import make_plan
from vlmft_core.plan.cautions import data_cautions, few_questions, published_for
from vlmft_core.preset import LoadedPreset, Preset, load_preset
from vlmft_core.preset.schema import About

FOLDER = Path(__file__).parents[2] / "presets"


def preset(name: str = "best", *overrides: str) -> Preset:
    return load_preset(name, [FOLDER], overrides).preset


def own(tmp_path: Path, rows: list[dict[str, Any]], *said: str, base: str = "best") -> LoadedPreset:
    (tmp_path / "own.json").write_text(json.dumps(rows))
    text = f"extends: {base}\ndata:\n  sources:\n    - {{task: textvqa, path: {tmp_path}/own.json}}\n"
    (tmp_path / "own.yaml").write_text(text + "".join(f"{line}\n" for line in said))
    return load_preset(tmp_path / "own.yaml", [FOLDER])


def rows(answers: list[str], count: int = 300) -> list[dict[str, Any]]:
    return [{"image": f"{number}.png", "question": "?", "answers": answers} for number in range(count)]


@pytest.mark.parametrize(
    ("answers", "most"), [(["a"], "0.0"), (["a", "a"], "33.3"), (["a"] * 3, "66.7"), (["a"] * 4, None)]
)
def test_a_score_that_cannot_reach_100_percent_is_said(tmp_path: Path, answers: list[str], most: str | None) -> None:
    said = "\n".join(make_plan(own(tmp_path, rows(answers)).preset).warnings)
    assert ("textvqa: its score cannot be more than" in said) == (most is not None)
    assert most is None or f"more than {most} % here" in said
    unasked = own(tmp_path, rows(answers), "evaluation: {answers: 0}").preset
    assert "textvqa" not in "\n".join(make_plan(unasked).warnings)


def test_a_small_eval_set_and_a_short_training_are_said(tmp_path: Path) -> None:
    said = "\n".join(make_plan(own(tmp_path, rows(["a"] * 10)).preset).warnings)
    assert "15 eval questions: a score of 80 % may be 19 points off by chance" in said
    assert "18 optimizer steps in all are few to learn from: training.effective_batch 32 instead of 128 makes" in said
    assert not data_cautions(own(tmp_path, rows(["a"] * 10, 4000)).preset)
    assert few_questions(1).startswith("1 eval question: ")


def test_figures_of_the_published_recipe_are_said_only_of_its_own_data(tmp_path: Path) -> None:
    loaded = own(tmp_path, rows(["a"] * 10))
    assert loaded.preset.about == About()
    said = "\n".join(make_plan(loaded.preset).warnings)
    assert "published at" not in said
    assert "evals an epoch" not in said
    stated = own(tmp_path, rows(["a"] * 10), "about: {expected: {textvqa: [1, 2]}}").preset
    assert stated.about.expected == {"textvqa": (1, 2)}
    assert "published at" not in "\n".join(make_plan(stated).warnings)
    assert set(published_for(preset())) == {"chartqa", "textvqa"}
    overridden = preset("best", f"data.sources=[{{task: textvqa, path: {tmp_path}/own.json}}]")
    assert (overridden.about.expected, overridden.about.improvement) == ({}, "")
    half = preset("best", "data.sources=[{task: chartqa, path: HuggingFaceM4/ChartQA}, {task: textvqa, path: ./mine}]")
    assert set(published_for(half)) == {"chartqa"}


def test_an_inherited_limit_is_no_mistake_of_the_preset(tmp_path: Path) -> None:
    def warned(*overrides: str) -> bool:
        own(tmp_path, rows(["a"] * 10))
        loaded = load_preset(tmp_path / "own.yaml", [FOLDER], overrides)
        plan = make_plan(loaded.preset, inherited=loaded.inherited)
        return any("is more than the 285 samples" in text for text in plan.warnings)

    assert not warned("training.epochs=2")
    assert warned("data.max_train=500")
    assert "data.max_train" not in load_preset("best", [FOLDER]).inherited
    assert "data.max_train" in load_preset("good", [FOLDER]).inherited


def test_what_is_right_for_the_demo_alone_is_said_elsewhere(tmp_path: Path) -> None:
    def warned(*said: str) -> str:
        return "\n".join(make_plan(own(tmp_path, rows(["a"] * 10), *said, base="demo").preset).warnings)

    assert "model.base demo is a tiny model to try everything with" in warned()
    assert "learning_rate 0.004 is 20 times the highest" in warned("model: {base: Qwen/Qwen2.5-VL-3B-Instruct}")
    both = warned("training: {learning_rate: 1.0}")
    assert "model.base demo is a tiny model" in both
    assert "learning_rate 1 is far from" in both
    demo = "\n".join(make_plan(preset("demo")).warnings)
    assert "tiny model" not in demo
    assert "learning_rate" not in demo


def test_layers_by_name_beside_a_pattern_are_said_to_be_unused() -> None:
    pattern = "lora.target_pattern=.*layers.2..*q_proj"
    said = "lora.target_modules is not used: lora.target_pattern takes its place"
    for options, idle in (((pattern, "lora.target_modules=[k_proj]"), True), ((pattern,), False)):
        assert (said in make_plan(preset("best", *options)).warnings) is idle


@pytest.mark.parametrize(
    ("said", "caution"),
    [
        ("training: {recompute_every: 4}", "training.recompute_every is not used: gradient_checkpointing is not true"),
        (
            "training: {share_images: auto, packing: false}",
            "training.share_images is not used: it takes training.packing",
        ),
        ("training: {logging_steps: 5000}", "training.logging_steps 5000 is more than the 18 steps of the training"),
        ("training: {learning_rate: 1.0}", "training.learning_rate 1 is far from what trains LoRA, 1e-7 to 0.05"),
        ("training: {learning_rate: 1.0e-9}", "training.learning_rate 1e-9 is far from what trains LoRA"),
    ],
)
def test_options_that_do_nothing_or_nothing_good_are_said(tmp_path: Path, said: str, caution: str) -> None:
    usual = make_plan(own(tmp_path, rows(["a"] * 10)).preset).warnings
    warned = make_plan(own(tmp_path, rows(["a"] * 10), said).preset).warnings
    assert any(text.startswith(caution) for text in set(warned) - set(usual))


def test_a_source_that_is_named_twice_is_said() -> None:
    twice = "data.sources=[{task: chartqa, path: demo}, {task: chartqa, path: demo}]"
    warned = make_plan(preset("demo", twice)).warnings
    assert "data.sources names demo 2 times: its samples come as often (weight says that, too)" in warned
    assert not any("data.sources names" in text for text in make_plan(preset("demo")).warnings)


@pytest.mark.parametrize(
    ("other", "same"),
    [
        ("weight: 2, max_train: 5", True),
        ("boxes: null", True),
        ("columns: {query: asked}", False),
        ("boxes: absolute", False),
        ("images: /other", False),
        ("eval_split: test", False),
    ],
)
def test_a_source_that_is_read_in_another_way_is_another_one(other: str, same: bool) -> None:
    both = f"data.sources=[{{task: chartqa, path: demo}}, {{task: chartqa, path: demo, {other}}}]"
    assert any("data.sources names" in text for text in make_plan(preset("demo", both)).warnings) is same
