"""What a checkpoint was made under, beside its plan and data: a resume has the same, is told of it, or is refused."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.core.weights import Tensor, copy_base, read_tensors, write_tensors
from vlmft_core.errors import VlmftError
from vlmft_core.plan.base_files import base_digest
from vlmft_core.preset import Preset
from vlmft_core.run_folder.checkpoints import Checkpoint
from vlmft_trainer.training.run_settings import SETTINGS, compare_settings, settings


def preset(**sections: Any) -> Preset:
    return Preset.model_validate({"model": {"base": "demo"}, **sections})


def checkpoint(made_with: dict[str, Any]) -> Checkpoint:
    """One that was written to a disk and read again."""
    return Checkpoint(6, None, None, {}, json.loads(json.dumps({SETTINGS: made_with})))


def test_the_same_settings_need_no_word_and_neither_does_where_data_and_base_lie() -> None:
    moved = {"sources": [{"task": "qa", "path": "elsewhere.jsonl"}]}
    assert compare_settings(settings(preset()), checkpoint(settings(preset(data=moved)))) == []
    assert compare_settings(settings(preset()), Checkpoint(6, None, None, {}, {})) == []


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"lora": {"r": 8}}, "lora.r 16, now 8"),
        ({"lora": {"alpha": 64}}, "lora.alpha 32, now 64"),
        ({"lora": {"target_modules": ["q_proj"]}}, "lora.target_modules"),
        ({"lora": {"dora": True}}, "lora.dora False, now True"),
        ({"training": {"seed": 7}}, "training.seed 42, now 7"),
        ({"data": {"max_pixels": 501760}}, "data.max_pixels 1003520, now 501760"),
        ({"data": {"train_on": "last"}}, "data.train_on all, now last"),
    ],
)
def test_what_cannot_change_on_the_way_is_refused(changed: dict[str, Any], said: str) -> None:
    with pytest.raises(VlmftError) as caught:
        compare_settings(settings(preset(**changed)), checkpoint(settings(preset())))
    assert caught.value.message.startswith(f"checkpoint-6 was made with {said}")
    assert caught.value.hint == "set it back in the run folder's preset, or start a new run"


def test_what_may_change_and_other_libraries_are_said() -> None:
    now = settings(preset(training={"weight_decay": 0.1}, lora={"dropout": 0.0}))
    then = settings(preset())
    then["libraries"]["transformers"] = "5.0.0"
    notes = compare_settings(now, checkpoint(then))
    assert notes[0] == "checkpoint-6 was made with lora.dropout 0.05, now 0.0, training.weight_decay 0.01, now 0.1"
    assert notes[1].startswith("checkpoint-6 was made with transformers 5.0.0, now 5.")


def test_another_base_of_the_same_name_is_refused(tmp_path: Path) -> None:
    base = copy_base(tmp_path / "b")
    before = settings(Preset.model_validate({"model": {"base": str(base)}}))
    file = base / "model.safetensors"
    tensors = read_tensors(file)
    other = {name: Tensor(one.dtype, one.shape, one.data[::-1]) for name, one in tensors.items()}
    write_tensors(file, other)
    with pytest.raises(VlmftError, match=r"made with another base: the weights of model\.base are not what"):
        compare_settings(settings(Preset.model_validate({"model": {"base": str(base)}})), checkpoint(before))


def test_a_base_that_was_moved_is_the_same_and_one_that_is_not_here_is_not_asked() -> None:
    assert base_digest("demo") == settings(preset())["base"] != ""
    assert base_digest("nobody/has-this") == ""
    elsewhere = settings(preset()) | {"base": ""}
    assert compare_settings(elsewhere, checkpoint(settings(preset()))) == []
