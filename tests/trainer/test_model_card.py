"""Model cards: what a reader needs to load the model, and how its training went."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from vlmft_core.cards.card import BARS, ROWS, Course, adapter_card, merged_card, read_course, sparkline
from vlmft_core.preset import Lora, Preset
from vlmft_core.run_folder.checkpoints import Checkpoint
from vlmft_core.run_folder.events import EventWriter
from vlmft_core.run_folder.layout import RunLayout

CHOSEN = Checkpoint(4, 0.5, 0.9, {}, {})
BEFORE = {"chartqa": {"relaxed_accuracy": 0.39, "human": 0.5, "n": 200}}
TRAINED = {
    "base_model.model.model.language_model.layers.0.self_attn.q_proj.lora_A.default.weight": (2, 3),
    "base_model.model.model.language_model.layers.0.self_attn.q_proj.lora_B.default.weight": (3, 2),
    "base_model.model.model.language_model.layers.1.self_attn.o_proj.lora_A.default.weight": (2, 3),
    "base_model.model.model.language_model.layers.1.self_attn.o_proj.lora_B.default.weight": (3, 2),
}
AFTER = {"chartqa": {"relaxed_accuracy": 0.885, "human": 1.0, "n": 200}}


def segment(folder: Path, number: int, steps: range, loss: float) -> None:
    (folder / "logs").mkdir(exist_ok=True)
    writer = EventWriter(folder / "logs" / f"events-{number:04}.jsonl")
    writer.write("run_start", run_id="a", segment=number, versions={"torch": f"2.{number}", "flash-attn": None})
    writer.write("eval", step=0, epoch=0.0, eval_loss=None, token_accuracy=None, tasks={})
    for step in steps:
        measured = {"loss": None if step == 3 else loss, "epoch": step / 6, "lr": 1e-4, "grad_norm": 0.5}
        writer.write("step", step=step, nonfinite=[], **measured)
    writer.write("eval", step=steps[-1], epoch=1.0, eval_loss=loss / 2, token_accuracy=0.8, samples=20)
    writer.write("eval", step=steps[-1], epoch=3.0, eval_loss=loss / 2, token_accuracy=0.8, tasks=AFTER)
    writer.close()


def card(course: Course, scores: tuple[Any, Any] = (BEFORE, AFTER)) -> str:
    return adapter_card(Preset(), "Qwen/Qwen2.5-VL-7B-Instruct", CHOSEN, 6, scores, course, TRAINED)


def test_the_course_is_what_the_log_tells_and_a_resume_counts_last(tmp_path: Path) -> None:
    segment(tmp_path, 1, range(1, 5), 4.0)
    segment(tmp_path, 2, range(4, 7), 2.0)
    course = read_course(RunLayout(tmp_path))
    assert dict(course.losses) == {1: 4.0, 2: 4.0, 3: None, 4: 2.0, 5: 2.0, 6: 2.0}
    assert sorted(course.evals) == [4, 6]
    assert course.versions["torch"] == "2.2"
    text = card(course)
    assert "| 4 | 1.00 | 3.333 | 2.000 | 0.8000 |" in text
    assert "| 6 | 1.00 | 2.000 | 1.000 | 0.8000 |" in text
    assert "torch 2.2" in text
    assert "flash-attn" not in text


def test_an_eval_that_a_resume_repeats_counts_as_repeated_last(tmp_path: Path) -> None:
    segment(tmp_path, 1, range(1, 5), 4.0)
    segment(tmp_path, 2, range(3, 5), 3.0)
    assert read_course(RunLayout(tmp_path)).evals[4]["eval_loss"] == 1.5


def test_the_card_says_how_to_load_it_what_it_scores_and_from_what_it_came() -> None:
    text = card(Course())
    front = yaml.safe_load(text.split("---")[1])
    assert front["base_model"] == "Qwen/Qwen2.5-VL-7B-Instruct"
    assert "PeftModel.from_pretrained" in text
    assert "| chartqa relaxed_accuracy | 0.3900 | 0.8850 | 200 |" in text
    assert "| chartqa human | 0.5000 | 1.000 | 200 |" in text
    assert "HuggingFaceM4/ChartQA" in text
    assert yaml.safe_load(text.split("```yaml")[1].split("```")[0])["lora"]["r"] == 16
    assert "No steps were logged." in text
    assert "Not measured." in card(Course(), ({}, {}))


def test_the_card_counts_what_learnt_from_the_weights_themselves() -> None:
    text = card(Course())
    assert "4 tensors learnt, 24 parameters:" in text
    assert "- LoRA on 2 layers (o_proj, q_proj) of the language model\n- LoRA on no layer of the vision tower\n" in text
    assert "whole" not in text
    tower = {"base_model.model.model.visual.blocks.0.attn.qkv.lora_A.default.weight": (2, 3)}
    whole = {"base_model.model.model.visual.merger.modules_to_save.default.mlp.0.weight": (3, 3)}
    preset = Preset(lora=Lora(start_from="outputs/first"))
    text = adapter_card(preset, "demo", CHOSEN, 6, ({}, {}), Course(), TRAINED | tower | whole)
    assert "6 tensors learnt, 39 parameters:" in text
    assert "- LoRA on 1 layer (qkv) of the vision tower\n- trained whole: merger\n- begun from the adapter" in text


def test_a_long_training_keeps_the_table_short_and_ends_with_the_last_eval() -> None:
    evals = {step: {"epoch": 1.0, "eval_loss": 1.0} for step in range(10, 1010, 10)}
    text = card(Course(dict.fromkeys(range(1, 1001), 1.0), evals))
    rows = [line for line in text.splitlines() if line.endswith("| not measured |") and line.startswith("| ")]
    assert len(rows) == ROWS
    assert rows[-1].startswith("| 1000 |")


@pytest.mark.parametrize(
    ("values", "drawn"),
    [
        ([1.0, 2.0, 3.0], "▁▅█"),
        ([2.0, 2.0], "▁▁"),
        ([1.0, None, float("nan"), 0.0], "█  ▁"),
        ([], ""),
        ([None], " "),
    ],
)
def test_a_sparkline_shows_what_is_finite(values: list[float | None], drawn: str) -> None:
    assert sparkline(values) == drawn


def test_a_long_curve_is_drawn_by_means_of_neighbours() -> None:
    drawn = sparkline([float(value) for value in range(1000)], width=8)
    assert drawn == BARS


def test_a_merged_model_is_loaded_without_peft() -> None:
    text = merged_card(Preset(), TRAINED)
    assert "- LoRA on 2 layers (o_proj, q_proj) of the language model" in text
    assert "PeftModel" not in text
    assert yaml.safe_load(text.split("---")[1])["library_name"] == "transformers"
