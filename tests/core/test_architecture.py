"""Sizes of the base models, and base models that cannot be used."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest

from vlmft_core.errors import ModelError
from vlmft_core.plan.architecture import DEMO_BASE, KNOWN, Architecture
from vlmft_core.plan.base_files import check_base
from vlmft_core.plan.base_folder import find_architecture, read_architecture, resolve_base
from vlmft_core.preset import Lora

SEVEN = ["q_proj", "v_proj", "k_proj", "o_proj", "gate_proj", "up_proj", "down_proj"]


def config(architecture: Architecture, *, nested: bool) -> dict[str, Any]:
    """A `config.json` as the hub has it (flat) or as transformers 5 writes it (nested)."""
    a = architecture
    text = {
        "hidden_size": a.hidden,
        "num_hidden_layers": a.layers,
        "num_attention_heads": a.heads,
        "num_key_value_heads": a.kv_heads,
        "intermediate_size": a.intermediate,
        "vocab_size": a.vocab,
    }
    vision = {
        "depth": a.vision_depth,
        "hidden_size": a.vision_hidden,
        "intermediate_size": a.vision_intermediate,
        "out_hidden_size": a.hidden,
    }
    shared = {"model_type": "qwen2_5_vl", "vision_config": vision, "tie_word_embeddings": a.tied}
    return {**shared, "text_config": text} if nested else {**shared, **text}


def test_the_7b_has_the_measured_number_of_parameters() -> None:
    base = KNOWN["Qwen2.5-VL-7B"]
    assert base.total_parameters == 8_292_166_656
    assert base.vision_parameters == 676_550_144


def test_adapters_of_the_7b_have_the_measured_number_of_parameters() -> None:
    base = KNOWN["Qwen2.5-VL-7B"]
    assert base.lora_parameters(Lora()) == 8_257_536
    assert base.lora_parameters(Lora(r=32, target_modules=SEVEN)) == 80_740_352
    assert base.lora_parameters(Lora(r=32, target_modules=SEVEN, vision_tower=True)) == 95_178_752


@pytest.mark.parametrize("name", sorted(KNOWN))
def test_transformers_builds_the_same_number_of_parameters(name: str) -> None:
    torch = pytest.importorskip("torch")
    transformers = pytest.importorskip("transformers")
    base = KNOWN[name]
    with torch.device("meta"):
        model = transformers.Qwen2_5_VLForConditionalGeneration(
            transformers.Qwen2_5_VLConfig(**config(base, nested=True))
        )
    model.tie_weights()
    assert sum(weight.numel() for weight in model.parameters()) == base.total_parameters
    assert sum(weight.numel() for weight in model.model.visual.parameters()) == base.vision_parameters
    linears = [module for module in model.model.visual.modules() if isinstance(module, torch.nn.Linear)]
    names = [*base.vision_linears(), "0", "2"]
    assert (
        sum(layer.in_features + layer.out_features for layer in linears)
        == base.lora_parts(Lora(r=1, target_modules=["q_proj", *names], vision_tower=True))[1]
    )


@pytest.mark.parametrize("nested", [False, True])
def test_a_local_folder_is_read_in_the_old_and_the_new_layout(tmp_path: Path, nested: bool) -> None:
    (tmp_path / "config.json").write_text(json.dumps(config(KNOWN["Qwen2.5-VL-3B"], nested=nested)))
    assert find_architecture(str(tmp_path)) == KNOWN["Qwen2.5-VL-3B"]


def test_names_on_the_hub_are_known_or_unknown_but_never_looked_up() -> None:
    assert find_architecture("Qwen/Qwen2.5-VL-72B-Instruct") == KNOWN["Qwen2.5-VL-72B"]
    assert find_architecture("someone/Qwen2.5-VL-7B-Instruct") is None
    check_base("someone/else")


def test_demo_means_the_model_that_ships() -> None:
    assert resolve_base("demo") == str(DEMO_BASE)
    assert resolve_base("Qwen/Qwen2.5-VL-7B-Instruct") == "Qwen/Qwen2.5-VL-7B-Instruct"
    assert resolve_base("~/model") == str(Path("~/model").expanduser())


@pytest.mark.parametrize(
    ("target", "vision", "message"),
    [
        ("qproj", False, "'qproj' matches no layer, did you mean q_proj? (valid names: q_proj, k_proj,"),
        ("lm_head", False, "valid names: q_proj, k_proj, v_proj, o_proj, gate_proj, up_proj, down_proj)"),
        ("qkv", False, "set lora.vision_tower=true"),
        ("zzz", True, "qkv, proj, 0, 2)"),
    ],
)
def test_a_target_module_that_matches_nothing_is_answered_with_the_valid_names(
    target: str, vision: bool, message: str
) -> None:
    with pytest.raises(ModelError) as caught:
        KNOWN["Qwen2.5-VL-7B"].lora_parameters(Lora(target_modules=["q_proj", target], vision_tower=vision))
    assert message in str(caught.value)


@pytest.mark.parametrize("base", ["no_such_folder", "./no/such", "/no/such", "~/no_such", "../x", "/dev/null"])
def test_a_local_base_that_is_not_there_is_said(base: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for look in (find_architecture, check_base):
        with pytest.raises(ModelError, match="is not a folder"):
            look(base)


def test_a_base_without_config_weights_or_tokenizer_is_said(tmp_path: Path) -> None:
    def refused() -> str:
        with pytest.raises(ModelError) as caught:
            check_base(str(tmp_path))
        return str(caught.value)

    assert "config.json: No such file" in refused()
    (tmp_path / "config.json").write_text(json.dumps(config(KNOWN["Qwen2.5-VL-3B"], nested=False)))
    for name in ("tokenizer_config.json", "preprocessor_config.json"):
        assert f"{name}" in refused()
        (tmp_path / name).write_text("{}")
    assert "lacks model.safetensors" in refused()
    index = {"weight_map": {"a": "model-1.safetensors", "b": "model-2.safetensors"}}
    (tmp_path / "model.safetensors.index.json").write_text(json.dumps(index))
    (tmp_path / "model-1.safetensors").touch()
    assert "lacks model-2.safetensors" in refused()
    (tmp_path / "model-2.safetensors").touch()
    assert "lacks tokenizer.json" in refused()
    (tmp_path / "tokenizer.json").write_text("{}")
    assert "model-1.safetensors: is empty (0 bytes)" in refused()


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"{", "not valid JSON"),
        (b"\xff", "not valid JSON"),
        (b"[]", "not a JSON object"),
        (b"{}", "model_type is None"),
        (b'{"model_type": "llama"}', "model_type is 'llama'"),
        (b'{"model_type": "qwen2_5_vl"}', "vision_config is missing"),
        (b'{"model_type": "qwen2_5_vl", "vision_config": {}}', "hidden_size is missing"),
        (b'{"model_type": "qwen2_5_vl", "vision_config": {}, "hidden_size": "x"}', "a size is not a number"),
        (b'{"model_type": "qwen2_5_vl", "vision_config": 5, "text_config": 3}', "a size is not a number"),
    ],
)
def test_a_config_that_cannot_be_used_is_said(tmp_path: Path, content: bytes, message: str) -> None:
    (tmp_path / "config.json").write_bytes(content)
    with pytest.raises(ModelError, match=message):
        read_architecture(tmp_path)


def test_a_fifo_in_place_of_a_config_does_not_hang(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "config.json")
    with pytest.raises(ModelError, match="not a regular file"):
        read_architecture(tmp_path)
