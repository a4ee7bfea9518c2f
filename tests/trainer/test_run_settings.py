"""What a checkpoint was made under, beside its plan and data: a resume has the same, is told of it, or is refused."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.core.weights import Tensor, copy_base, read_tensors, write_tensors
from vlmft_core.errors import ModelError, VlmftError
from vlmft_core.plan.base_files import base_digest
from vlmft_core.preset import Preset
from vlmft_core.run_folder.checkpoints import Checkpoint
from vlmft_core.run_folder.layout import RunLayout
from vlmft_trainer.distributed import ranks
from vlmft_trainer.training import build, run_settings
from vlmft_trainer.training.options import Job
from vlmft_trainer.training.run_log import RunLog
from vlmft_trainer.training.run_plan import PLANNED
from vlmft_trainer.training.run_settings import SETTINGS, compare_settings, settings


def preset(**sections: Any) -> Preset:
    return Preset.model_validate({"model": {"base": "demo"}, **sections})


def checkpoint(made_with: dict[str, Any]) -> Checkpoint:
    """One that was written to a disk and read again."""
    return Checkpoint(6, None, None, {}, json.loads(json.dumps({SETTINGS: made_with})))


def test_the_same_settings_need_no_word_and_neither_does_where_data_and_base_lie() -> None:
    moved = {"sources": [{"task": "qa", "path": "elsewhere.jsonl"}]}
    assert compare_settings(settings(preset()), checkpoint(settings(preset(data=moved)))) == []


def test_a_checkpoint_without_settings_is_said_to_have_none() -> None:
    said = "checkpoint-6 does not say what settings it was made with: whether they are still the same is not known"
    assert compare_settings(settings(preset()), Checkpoint(6, None, None, {}, {})) == [said]


def test_the_order_of_layers_is_no_change() -> None:
    one, other = (
        settings(preset(lora={"target_modules": names})) for names in (["q_proj", "v_proj"], ["v_proj", "q_proj"])
    )
    assert compare_settings(one, checkpoint(other)) == []


def test_a_library_without_metadata_is_one_of_unknown_version(monkeypatch: pytest.MonkeyPatch) -> None:
    then = settings(preset())
    monkeypatch.setattr(run_settings, "installed_versions", lambda: {**then["libraries"], "peft": "1"} | {"torch": "2"})
    monkeypatch.setattr(run_settings, "_LIBRARIES", ("torch", "flash-attn"))
    assert settings(preset())["libraries"] == {"torch": "2", "flash-attn": "unknown"}


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"lora": {"r": 8}}, "lora.r 16, now 8"),
        ({"lora": {"alpha": 64}}, "lora.alpha 32, now 64"),
        ({"lora": {"target_modules": ["q_proj"]}}, "lora.target_modules"),
        ({"lora": {"dora": True}}, "lora.dora false, now true"),
        ({"training": {"seed": 7}}, "training.seed 42, now 7"),
        ({"data": {"max_pixels": 501760}}, "data.max_pixels 1003520, now 501760"),
        ({"data": {"min_pixels": 3136}}, "data.min_pixels null, now 3136"),
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
    notes = compare_settings(elsewhere, checkpoint(settings(preset())))
    assert notes == ["whether the weights of model.base are those of checkpoint-6 is not known"]


def test_a_base_is_known_by_the_weights_that_are_used_once_all_are_there(tmp_path: Path) -> None:
    base = copy_base(tmp_path / "b")
    before = base_digest(str(base))
    (base / "consolidated.safetensors").write_bytes(b"another")
    (base / "gone.safetensors").symlink_to(tmp_path / "nowhere")
    assert base_digest(str(base)) == before != ""
    (base / "model.safetensors").unlink()
    assert base_digest(str(base)) == ""
    (base / "model.safetensors").symlink_to(tmp_path / "nowhere")
    assert base_digest(str(base)) == ""


def test_weights_that_cannot_be_read_are_a_users_mistake(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    base = copy_base(tmp_path / "b")

    def refuse(path: Path, *how: Any, **also: Any) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "open", refuse)
    with pytest.raises(ModelError, match=r"model\.safetensors: Permission denied"):
        base_digest(str(base))


def test_a_base_that_one_rank_cannot_read_ends_the_others_too(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    told: list[Any] = []
    unreadable = ModelError("model.safetensors: Input/output error")

    def refuse(preset: Preset) -> None:
        raise unreadable

    monkeypatch.setattr(ranks, "gather", lambda value: [told.append(value), value])
    monkeypatch.setattr(build, "settings", refuse)
    job = Job(preset(), RunLayout(tmp_path), ())
    with pytest.raises(ModelError, match="Input/output error"):
        build.go_on(job, RunLog(None), dict.fromkeys(PLANNED), Checkpoint(6, None, None, {}, {}))
    assert told == [unreadable]
