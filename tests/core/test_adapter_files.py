"""An adapter is taken whole or refused: files, names of all ages, ranks, layers, and what a training may start from."""

from __future__ import annotations

import json
import math
import random
from pathlib import Path
from typing import Any

import pytest

from tests.core.weights import Tensor, read_tensors, write_adapter, write_tensors
from vlmft_core.errors import ModelError
from vlmft_core.plan import make_plan
from vlmft_core.plan.adapter_files import expected_name, read_adapter
from vlmft_core.plan.architecture import DEMO_BASE, KNOWN
from vlmft_core.plan.base_folder import read_architecture
from vlmft_core.plan.lora_layers import adapted_names
from vlmft_core.plan.starting_adapter import adapter_folder, starting_adapter
from vlmft_core.preset import Hardware, Lora, Model, Preset

WEIGHTS = "adapter_model.safetensors"
LORA = Lora(r=4, alpha=8)


def refused(folder: Path, base: str = "demo") -> str:
    with pytest.raises(ModelError) as caught:
        read_adapter(folder, base)
    assert "\n" not in str(caught.value)
    return str(caught.value)


@pytest.fixture
def adapter(tmp_path: Path) -> Path:
    return write_adapter(tmp_path / "adapter")


def change(adapter: Path, **config: Any) -> None:
    file = adapter / "adapter_config.json"
    file.write_text(json.dumps(json.loads(file.read_text()) | config))


def rename(adapter: Path, *pairs: tuple[str, str]) -> None:
    tensors = read_tensors(adapter / WEIGHTS)
    for old, new in pairs:
        tensors = {name.replace(old, new): tensor for name, tensor in tensors.items()}
    write_tensors(adapter / WEIGHTS, tensors)


def test_an_adapter_of_today_needs_no_word(adapter: Path) -> None:
    found = read_adapter(adapter, "demo")
    assert (len(found.names), len(found.layers), found.notes) == (24, 12, ())


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("model.language_model.layers", "model.layers"),
        ("model.language_model.layers", "model.language_model.model.layers"),
        ("base_model.model.", "base_model.model.base_model.model."),
        ("base_model.model.", ""),
        (".lora_A.weight", ".lora_A.default.weight"),
    ],
)
@pytest.mark.parametrize("targets", [["q_proj", "v_proj", "o_proj"], r"model\.layers.*(q|v|o)_proj", "all"])
def test_names_of_older_versions_are_mapped_with_a_note(adapter: Path, old: str, new: str, targets: Any) -> None:
    layers = sorted(read_adapter(adapter, "demo").layers)
    rename(adapter, (old, new))
    change(
        adapter,
        target_modules=[name.replace("language_model.", "") for name in layers] if targets == "all" else targets,
    )
    found = read_adapter(adapter, "demo")
    assert sorted(found.layers) == layers
    if new:
        assert "of 24 tensors have old names of transformers or PEFT; they are mapped" in found.notes[0]


def test_names_in_the_vision_tower_are_mapped_too() -> None:
    old = "base_model.model.visual.blocks.0.attn.qkv.lora_B.weight"
    assert expected_name(old) == "model.visual.blocks.0.attn.qkv.lora_B.weight"
    assert expected_name("base_model.model.lm_head.weight") == "lm_head.weight"


def test_tensors_without_a_place_are_counted_and_named(adapter: Path) -> None:
    rename(adapter, ("layers.3", "layers.9"))
    assert "6 of 24 tensors have no place in demo: model.language_model.layers.9.self_attn.o_proj.lora_A" in refused(
        adapter
    )
    rename(adapter, ("layers.9", "layers.3"), ("self_attn.q_proj", "attention.wq"))
    assert "8 of 24 tensors have no place" in refused(adapter)


def test_an_adapter_for_some_of_its_layers_is_refused(adapter: Path) -> None:
    tensors = read_tensors(adapter / WEIGHTS)
    write_tensors(adapter / WEIGHTS, {name: tensor for name, tensor in tensors.items() if ".layers.0." in name})
    assert "9 of the 12 layers that adapter_config.json names have no tensors: model.language_model.l" in refused(
        adapter
    )
    change(adapter, layers_to_transform=[0])
    assert len(read_adapter(adapter, "demo").layers) == 3
    change(adapter, layers_to_transform=None, exclude_modules=r".*layers\.[123]\..*")
    assert len(read_adapter(adapter, "demo").layers) == 3


@pytest.mark.parametrize("base", ["Qwen/Qwen2.5-VL-3B-Instruct", "Qwen/Qwen2.5-VL-7B-Instruct"])
def test_an_adapter_of_another_size_is_refused_with_counts(adapter: Path, base: str) -> None:
    assert f"24 of 24 tensors do not fit {base}" in refused(adapter, base)


def test_the_base_that_the_adapter_names_is_compared(adapter: Path) -> None:
    change(adapter, base_model_name_or_path="/elsewhere/other-model")
    assert (
        "it names /elsewhere/other-model as its base, and is laid over demo" in read_adapter(adapter, "demo").notes[0]
    )
    change(adapter, base_model_name_or_path=str(DEMO_BASE))
    assert read_adapter(adapter, "demo").notes == ()


def test_a_rank_that_the_file_does_not_have_is_refused(adapter: Path) -> None:
    change(adapter, r=8)
    assert "24 of 24 tensors have another rank than adapter_config.json says (r 8)" in refused(adapter)
    change(adapter, rank_pattern={"q_proj": 4, "v_proj": 4, "o_proj": 4})
    read_adapter(adapter, "demo")


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"peft_type": "LOHA"}, "its peft_type is LOHA (only LoRA"),
        ({"r": None}, "r in adapter_config.json cannot be None"),
        ({"rank_pattern": [4]}, "rank_pattern in adapter_config.json cannot be [4]"),
        ({"lora_alpha": 0}, "lora_alpha in adapter_config.json is 0: it would change nothing"),
        ({"lora_alpha": None}, "lora_alpha in adapter_config.json cannot be None"),
        ({"lora_alpha": "16"}, "lora_alpha in adapter_config.json cannot be '16'"),
        ({"lora_alpha": float("nan")}, "lora_alpha in adapter_config.json is nan: it would make every number NaN"),
        ({"init_lora_weights": "pissa_niter_4"}, "its init_lora_weights is 'pissa_niter_4', which changes the base"),
        ({"init_lora_weights": "olora"}, "path_initial_model_for_weight_conversion: that makes a plain LoRA adapter"),
        ({"init_lora_weights": "loftq"}, "its init_lora_weights is 'loftq'"),
        ({"use_dora": True}, "lacks lora_magnitude_vector"),
        ({"modules_to_save": ["merger"]}, "its modules_to_save lack 5 tensors: model.visual.merger.ln_q"),
        ({"target_modules": ["q_proj", "v_proj", "o_proj", "k_proj"]}, "4 of the 16 layers"),
        ({"target_modules": "all-linear"}, "38 of the 50 layers"),
    ],
)
def test_a_configuration_that_is_not_the_files_is_refused(
    adapter: Path, settings: dict[str, Any], message: str
) -> None:
    change(adapter, **settings)
    assert message in refused(adapter)


def test_weights_of_the_base_beside_the_adapters_are_refused_with_what_to_do(adapter: Path) -> None:
    """PEFT saves them where lm_head or embed_tokens has LoRA."""
    tensors = read_tensors(adapter / WEIGHTS)
    some = next(iter(tensors.values()))
    write_tensors(adapter / WEIGHTS, tensors | {"base_model.model.lm_head.base_layer.weight": some})
    assert "it holds 1 tensor of the base beside its own: lm_head.base_layer.weight" in refused(adapter)
    assert "save_embedding_layers=False" in refused(adapter)


def test_tensors_that_are_not_numbers_as_they_stand_are_refused(adapter: Path) -> None:
    tensors = read_tensors(adapter / WEIGHTS)
    packed = {name: Tensor("I8", one.shape, one.data[: len(one.data) // 4]) for name, one in tensors.items()}
    write_tensors(adapter / WEIGHTS, packed)
    assert "24 of 24 tensors in I8: " in refused(adapter)


def test_files_that_are_missing_empty_or_of_another_format_are_said(adapter: Path, tmp_path: Path) -> None:
    weights = adapter / WEIGHTS
    write_tensors(weights, {})
    assert "holds no tensors" in refused(adapter)
    weights.write_bytes(b"")
    assert "is empty (0 bytes)" in refused(adapter)
    weights.rename(adapter / "adapter_model.bin")
    assert "its weights are in adapter_model.bin (load it with peft and save_pretrained it" in refused(adapter)
    (adapter / "adapter_model.bin").unlink()
    assert "no such file" in refused(adapter)
    (adapter / "adapter_config.json").write_bytes(b"{")
    assert "not valid JSON" in refused(adapter)
    (adapter / "adapter_config.json").unlink()
    assert "No such file" in refused(adapter)


def test_the_same_tensor_twice_is_refused(adapter: Path) -> None:
    tensors = read_tensors(adapter / WEIGHTS)
    name = next(iter(tensors))
    write_tensors(adapter / WEIGHTS, tensors | {name.replace("language_model.", ""): tensors[name]})
    assert "are the same tensor" in refused(adapter)


def test_an_adapter_that_lost_any_byte_is_refused(adapter: Path) -> None:
    draw = random.Random(12)
    file = adapter / WEIGHTS
    whole = file.read_bytes()
    ends = (8, 8 + int.from_bytes(whole[:8], "little"), len(whole))
    for number in range(200):
        at = number if number < 8 else draw.randrange(ends[number % 3])
        file.write_bytes(whole[:at] + whole[at + 1 :])
        assert str(file) in refused(adapter), at


@pytest.mark.parametrize("names", ["today's", "old"])
def test_an_adapter_that_lost_any_tensor_is_refused(adapter: Path, names: str) -> None:
    draw = random.Random(12)
    merger = {name: shape for name, shape in read_architecture(DEMO_BASE).tensors().items() if ".merger." in name}
    whole = {
        f"base_model.model.{name}": Tensor("BF16", list(shape), bytes(2 * math.prod(shape)))
        for name, shape in merger.items()
    }
    change(adapter, modules_to_save=["merger"])
    tensors = read_tensors(adapter / WEIGHTS) | whole
    write_tensors(adapter / WEIGHTS, tensors)
    if names == "old":
        rename(adapter, ("model.language_model.", "model."), ("model.visual.", "visual."))
        tensors = read_tensors(adapter / WEIGHTS)
    read_adapter(adapter, "demo")
    for _ in range(100):
        lost = draw.choice(list(tensors))
        write_tensors(adapter / WEIGHTS, {name: tensor for name, tensor in tensors.items() if name != lost})
        assert expected_name(lost).rpartition(".lora_")[0] in refused(adapter)


# A training that goes on from an adapter.


def asked(adapter: Path, **lora: Any) -> str:
    with pytest.raises(ModelError) as caught:
        starting_adapter(LORA.model_copy(update={"start_from": str(adapter), **lora}), "demo")
    return str(caught.value)


def test_training_starts_from_an_adapter_or_from_the_one_of_a_run(adapter: Path) -> None:
    lora = LORA.model_copy(update={"start_from": str(adapter.parent)})
    found = starting_adapter(lora, "demo")
    assert found
    assert found.folder == adapter == adapter_folder(str(adapter))
    preset = Preset(model=Model(base="demo"), lora=lora, hardware=Hardware(device="cpu"))
    assert f"training goes on from the adapter {adapter} (24 tensors)" in make_plan(preset).notes
    assert starting_adapter(LORA, "demo") is None


def test_where_there_is_no_adapter_to_start_from_it_is_said(tmp_path: Path) -> None:
    assert "holds no adapter (give a folder with adapter_config.json" in asked(tmp_path)
    assert "does not exist" in asked(tmp_path / "nowhere")


def test_another_rank_scale_or_other_layers_are_refused_with_what_to_set(adapter: Path) -> None:
    assert "has r 4, not 16, alpha 8, not 32 (set lora.r=4 lora.alpha=8)" in asked(adapter, r=16, alpha=32)
    assert "rslora false, not true (set lora.rslora=false)" in asked(adapter, rslora=True)
    other = asked(adapter, target_modules=["q_proj", "v_proj"])
    assert "has 12 layers, the preset's lora section asks for 8" in other
    assert "set lora.target_modules=[o_proj, q_proj, v_proj] lora.vision_tower=false lora.target_pattern=null" in other
    change(adapter, target_modules=["q_proj", "v_proj", "o_proj"], alpha_pattern={"q_proj": 3})
    assert "uses PEFT's alpha_pattern, which vlmft does not train" in asked(adapter)


# What is trained.


@pytest.mark.parametrize("lora", [{}, {"target_pattern": r".*q_proj"}])
def test_a_vision_tower_in_which_nothing_would_learn_is_refused_with_its_layers(lora: dict[str, Any]) -> None:
    with pytest.raises(ModelError) as caught:
        KNOWN["Qwen2.5-VL-7B"].lora_parameters(Lora(vision_tower=True, **lora))
    asked = "target_pattern" if lora else "target_modules"
    assert f"lora.vision_tower: true, but lora.{asked} matches no layer of the vision tower" in str(caught.value)
    assert "(its layers are qkv, proj, gate_proj, up_proj, down_proj, 0, 2;" in str(caught.value)


def test_all_linear_is_every_layer_of_the_language_model_and_of_the_tower_where_that_is_asked_for() -> None:
    base = KNOWN["Qwen2.5-VL-7B"]
    seven = ["q_proj", "v_proj", "k_proj", "o_proj", "gate_proj", "up_proj", "down_proj"]
    every = Lora.model_validate({"target_modules": "all-linear"})
    assert base.lora_parameters(every) == base.lora_parameters(Lora(target_modules=seven))
    both = Lora(target_modules=["all-linear"], vision_tower=True)
    assert base.lora_parameters(both) == base.lora_parameters(
        Lora(target_modules=[*seven, "qkv", "proj", "0", "2"], vision_tower=True)
    )


def test_a_name_beside_all_linear_is_not_passed_over() -> None:
    names = ["model.language_model.layers.0.self_attn.q_proj", "model.language_model.layers.0.mlp.up_proj"]
    assert adapted_names(names, Lora(target_modules=["all-linear", "q_proj"])) == set(names)
    with pytest.raises(ModelError, match="'lm_head' matches no layer"):
        adapted_names(names, Lora(target_modules=["all-linear", "lm_head"]))


def test_parts_that_are_trained_whole_are_counted() -> None:
    base, plain = KNOWN["Qwen2.5-VL-7B"], Lora()
    merger = 1280 + (5120 * 5120 + 5120) + (5120 * 3584 + 3584)
    assert base.lora_parameters(Lora(modules_to_save=["merger"])) == base.lora_parameters(plain) + merger
    both = Lora(modules_to_save=["lm_head", "embed_tokens"])
    assert base.lora_parameters(both) == base.lora_parameters(plain) + 2 * 152064 * 3584
    with pytest.raises(
        ModelError, match=r"lm_head cannot be trained whole: in this base lm_head and embed_tokens are one"
    ):
        KNOWN["Qwen2.5-VL-3B"].lora_parameters(Lora(modules_to_save=["lm_head"]))
