"""Adapters on the model: of every age, whole or not at all, with PEFT's warnings; training on from one."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file

from tests.core.weights import read_tensors, write_adapter, write_tensors
from tests.trainer.trained import KERNELS, LORA, Said, preset, write_tuned
from vlmft_core.errors import ModelError
from vlmft_core.jobs import MergeJob
from vlmft_core.plan.adapter_files import read_adapter
from vlmft_core.plan.architecture import DEMO_BASE
from vlmft_core.plan.base_folder import read_architecture
from vlmft_core.plan.starting_adapter import starting_adapter
from vlmft_core.preset import Lora, Source
from vlmft_trainer.data.collate import collate
from vlmft_trainer.data.samples import Samples
from vlmft_trainer.model.adapter import (
    adapter_state,
    add_adapter,
    lay_over,
    load_adapter,
    save_adapter,
    start_from,
    trained_shapes,
)
from vlmft_trainer.model.load import count_parameters, load_base, prepare_training
from vlmft_trainer.model.loss import answer_loss
from vlmft_trainer.programs.merge import merge

WEIGHTS = "adapter_model.safetensors"


def base() -> Any:
    return load_base(str(DEMO_BASE), KERNELS)


def on_base(adapter: Path) -> tuple[Any, list[str]]:
    notes: list[str] = []
    return lay_over(base(), str(adapter), notes.append), notes


def refused(adapter: Path) -> str:
    with pytest.raises(ModelError) as caught:
        on_base(adapter)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def same(first: dict[str, torch.Tensor], second: dict[str, torch.Tensor]) -> bool:
    return first.keys() == second.keys() and all(torch.equal(first[name], second[name]) for name in first)


def rename(adapter: Path, old: str, new: str) -> None:
    tensors = read_tensors(adapter / WEIGHTS)
    write_tensors(adapter / WEIGHTS, {name.replace(old, new): tensor for name, tensor in tensors.items()})


def weights_of(model: Any) -> dict[str, torch.Tensor]:
    return {name: weight.detach() for name, weight in model.named_parameters() if ".lora_" in name}


@pytest.mark.parametrize(
    ("old", "new"),
    [("model.language_model.layers", "model.layers"), ("base_model.model.", ""), (".weight", ".default.weight")],
)
@pytest.mark.parametrize("targets", [["q_proj", "v_proj", "o_proj"], r"model\.layers\.\d+\.self_attn\.(q|v|o)_proj"])
def test_an_adapter_of_any_age_lands_where_todays_lands(tmp_path: Path, old: str, new: str, targets: Any) -> None:
    today, _ = on_base(write_adapter(tmp_path / "today"))
    aged = write_adapter(tmp_path / "aged", target_modules=targets)
    rename(aged, old, new)
    model, _ = on_base(aged)
    assert same(weights_of(model), weights_of(today))
    assert any(weight.any() for name, weight in weights_of(model).items() if "lora_B" in name)


def test_an_old_adapter_is_in_the_merged_model(sources: list[Source], tmp_path: Path) -> None:
    adapter = write_adapter(tmp_path / "adapter")
    rename(adapter, "model.language_model.layers", "model.layers")
    said = Said()
    merge(MergeJob(preset=preset(sources), adapter=str(adapter), folder=str(tmp_path / "m")), said)
    assert any("24 of 24 tensors have old names" in text for name, text in said.all if name == "note")
    merged, plain = load_base(str(tmp_path / "m"), KERNELS), base()
    changed = [
        name
        for name, weight in merged.named_parameters()
        if not torch.equal(weight, plain.get_parameter(name).bfloat16().float())
    ]
    assert len(changed) == 12
    assert "LoRA on 12 layers (o_proj, q_proj, v_proj)" in (tmp_path / "m" / "README.md").read_text()


def test_patterns_for_ranks_and_scales_are_mapped_too(tmp_path: Path) -> None:
    name = "model.layers.0.self_attn.q_proj"
    adapter = write_adapter(tmp_path / "a", r=8, rank_pattern={name: 4}, alpha_pattern={name: 2})
    file = adapter / WEIGHTS
    small = read_tensors(write_adapter(tmp_path / "b") / WEIGHTS)
    both = read_tensors(file) | {key: value for key, value in small.items() if "layers.0.self_attn.q_proj" in key}
    write_tensors(file, both)
    rename(adapter, "model.language_model.layers", "model.layers")
    layer = on_base(adapter)[0].get_submodule("base_model.model.model.language_model.layers.0.self_attn.q_proj")
    assert (layer.r["default"], layer.scaling["default"]) == (4, 0.5)


def test_what_does_not_fit_is_refused_by_the_loader(tmp_path: Path) -> None:
    adapter = write_adapter(tmp_path / "a")
    tensors = read_tensors(adapter / WEIGHTS)
    write_tensors(adapter / WEIGHTS, {name: tensor for name, tensor in tensors.items() if ".layers.0." in name})
    assert "9 of the 12 layers that adapter_config.json names have no tensors" in refused(adapter)
    write_tensors(adapter / WEIGHTS, tensors)
    rename(adapter, "layers.3", "layers.9")
    assert "6 of 24 tensors have no place" in refused(adapter)


def test_tensors_that_only_peft_knows_land_or_are_refused(tmp_path: Path) -> None:
    """The check without torch leaves them to PEFT, whose answer is looked at."""
    adapter = write_adapter(tmp_path / "a", trainable_token_indices={"embed_tokens": [3]})
    assert "places no tensor" in refused(adapter) or "adapter " in refused(adapter)


@pytest.mark.parametrize("part", ["lora_A", "lora_B"])
def test_an_adapter_that_changes_nothing_is_reported(tmp_path: Path, part: str) -> None:
    adapter = write_adapter(tmp_path / "a")
    tensors = load_file(adapter / WEIGHTS)
    save_file({n: w * 0 if part in n else w for n, w in tensors.items()}, adapter / WEIGHTS)
    _, notes = on_base(adapter)
    assert notes == [f"adapter {adapter}: 12 of its 12 {part} are all 0: there LoRA changes nothing"]


def test_numbers_that_are_not_finite_are_refused(tmp_path: Path) -> None:
    adapter = write_adapter(tmp_path / "a")
    tensors = load_file(adapter / WEIGHTS)
    next(iter(tensors.values()))[0, 0] = float("nan")
    save_file(tensors, adapter / WEIGHTS)
    assert "numbers that are not finite in 1 tensor:" in refused(adapter)


def test_what_peft_warns_of_is_said(tmp_path: Path) -> None:
    adapter = write_adapter(tmp_path / "a", peft_version="99.0", a_setting_of_the_future=3)
    _, notes = on_base(adapter)
    assert any(text.startswith("PEFT: ") and "a_setting_of_the_future" in text for text in notes)


def test_training_goes_on_where_the_adapter_was(tmp_path: Path) -> None:
    write_tuned(tmp_path / "a")
    lora = LORA.model_copy(update={"start_from": str(tmp_path / "a")})
    earlier = starting_adapter(lora, "demo")
    assert earlier
    model = add_adapter(base(), lora, seed=5)
    assert not same(adapter_state(model), load_file(tmp_path / "a" / WEIGHTS))
    start_from(model, earlier, pytest.fail)
    assert same(adapter_state(model), load_file(tmp_path / "a" / WEIGHTS))
    assert all(weight.requires_grad for name, weight in model.named_parameters() if ".lora_" in name)


def test_a_checkpoints_adapter_that_lost_a_tensor_is_refused(tmp_path: Path) -> None:
    model = write_tuned(tmp_path / "a")
    load_adapter(model, tmp_path / "a", pytest.fail)
    tensors = load_file(tmp_path / "a" / WEIGHTS)
    tensors.popitem()
    save_file(tensors, tmp_path / "a" / WEIGHTS)
    with pytest.raises(ModelError, match="1 of the adapter's places no tensor"):
        load_adapter(model, tmp_path / "a", pytest.fail)


@pytest.mark.parametrize("vision", [False, True])
def test_all_linear_adapts_every_layer(vision: bool) -> None:
    lora = Lora(r=2, target_modules=["all-linear"], vision_tower=vision)
    model = add_adapter(base(), lora, seed=0)
    layers = {name.partition(".lora_")[0] for name in trained_shapes(model)}
    assert len(layers) == (50 if vision else 28)
    assert count_parameters(model)[0] == read_architecture(DEMO_BASE).lora_parameters(lora)


def test_a_merger_that_is_trained_whole_learns_is_saved_and_comes_back(samples: Samples, tmp_path: Path) -> None:
    lora = Lora(r=4, alpha=8, dropout=0, modules_to_save=["merger"])
    model = add_adapter(base(), lora, seed=0)
    assert count_parameters(model)[0] == read_architecture(DEMO_BASE).lora_parameters(lora)
    prepare_training(model, gradient_checkpointing=True, train_vision=True)
    model.train()
    encoder = samples.encoder
    batch = collate([samples[0], samples[12]], pad_id=encoder.pad_id, image_id=encoder.image_id)
    answer_loss(model, batch).nll.backward()
    learnt = {name: weight for name, weight in model.named_parameters() if weight.requires_grad}
    merger = [weight for name, weight in learnt.items() if ".merger." in name]
    assert len(merger) == 5
    assert all(weight.grad is not None and weight.grad.any() for weight in merger)
    with torch.no_grad():
        for weight in merger:
            weight.add_(0.01)
    save_adapter(model, tmp_path / "a")
    assert len(read_adapter(tmp_path / "a", "demo").names) == 24 + 5
    assert starting_adapter(lora.model_copy(update={"start_from": str(tmp_path / "a")}), "demo")
    again, notes = on_base(tmp_path / "a")
    with torch.no_grad():
        torch.testing.assert_close(answer_loss(again.eval(), batch).nll, answer_loss(model.eval(), batch).nll)
    assert [note for note in notes if "PEFT" in note] == []
    assert json.loads((tmp_path / "a" / "adapter_config.json").read_text())["modules_to_save"]


def test_the_embedding_of_a_tied_base_is_not_trained_whole() -> None:
    with pytest.raises(ModelError, match="in this base lm_head and embed_tokens are one"):
        add_adapter(base(), Lora(modules_to_save=["embed_tokens"]), seed=0)
