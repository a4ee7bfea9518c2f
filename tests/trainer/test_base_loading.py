"""A base that transformers could not load whole is refused, also where nothing was wrong with its files."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import pytest
import torch

from tests.core.weights import Tensor, copy_base, read_tensors, write_tensors
from vlmft_core.errors import ModelError
from vlmft_core.plan.architecture import DEMO_BASE
from vlmft_core.plan.base_files import check_base, current_name
from vlmft_core.plan.base_folder import read_architecture
from vlmft_trainer.distributed import ranks
from vlmft_trainer.model import load
from vlmft_trainer.model.load import Kernels, load_base, load_encoder
from vlmft_trainer.model.soundness import refuse_numbers

KERNELS = Kernels("fp32", "sdpa", ())


def test_the_tensors_known_without_torch_are_those_of_the_model() -> None:
    model = load_base(str(DEMO_BASE), KERNELS)
    weights = {name: tuple(weight.shape) for name, weight in model.state_dict().items()}
    kernel = weights.pop("model.visual.patch_embed.proj.weight")
    known = read_architecture(DEMO_BASE).tensors()
    assert known.pop("model.visual.patch_embed.proj.weight") == (
        kernel[0],
        kernel[1] * kernel[2] * kernel[3] * kernel[4],
    )
    assert known == weights


def test_names_are_changed_as_transformers_changes_them() -> None:
    from transformers.conversion_mapping import get_model_conversion_mapping
    from transformers.core_model_loading import WeightRenaming, rename_source_key

    model = load_base(str(DEMO_BASE), KERNELS)
    rules = [rule for rule in get_model_conversion_mapping(model) if isinstance(rule, WeightRenaming)]
    for name in read_architecture(DEMO_BASE).tensors():
        inner = name.removeprefix("model.").removeprefix("language_model.")
        for old in (name, f"model.{inner}", f"model.language_model.model.{inner}", inner):
            if current_name(old) == name:
                assert rename_source_key(old, rules, [])[0] == name, old
    assert current_name("visual.merger.mlp.0.weight") == "model.visual.merger.mlp.0.weight"
    assert current_name("model.layers.0.mlp.up_proj.weight") == "model.language_model.layers.0.mlp.up_proj.weight"


@pytest.fixture
def base(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A base whose files are not looked at, as a hub's before it is downloaded."""
    monkeypatch.setattr(load, "check_base", lambda base: None)
    return copy_base(tmp_path / "b")


def test_what_transformers_misses_or_leaves_over_ends_the_loading(base: Path) -> None:
    file = base / "model.safetensors"
    tensors = read_tensors(file)
    lost = {name: tensor for name, tensor in tensors.items() if ".layers.2." not in name}
    write_tensors(file, lost | {"model.extra.weight": Tensor("F32", [1], b"1234")})
    with pytest.raises(ModelError) as caught:
        load_base(str(base), KERNELS)
    assert "12 tensors missing: model.language_model.layers.2.input_layernorm.weight, " in str(caught.value)
    assert "1 tensor without a place: model.language_model.extra.weight" in str(caught.value)


def test_a_tensor_of_another_shape_ends_the_loading(base: Path) -> None:
    file = base / "model.safetensors"
    tensors = read_tensors(file)
    norm = tensors["model.norm.weight"]
    write_tensors(
        file, tensors | {"model.norm.weight": norm._replace(shape=[96], data=norm.data[: len(norm.data) // 2])}
    )
    with pytest.raises(ModelError, match=r"1 tensor of another shape: model\.language_model\.norm\.weight"):
        load_base(str(base), KERNELS)


def test_a_file_that_was_cut_short_ends_the_loading(base: Path) -> None:
    file = base / "model.safetensors"
    file.write_bytes(file.read_bytes()[:-1])
    with pytest.raises(ModelError, match="base model"):
        load_base(str(base), KERNELS)


def test_weights_that_need_another_library_end_the_loading(base: Path) -> None:
    config = base / "config.json"
    quantized = {"quantization_config": {"quant_method": "gptq", "bits": 4}}
    config.write_text(json.dumps(json.loads(config.read_text()) | quantized))
    with pytest.raises(ModelError, match="base model"):
        load_base(str(base), KERNELS)


def test_a_tokenizer_that_is_damaged_inside_is_a_users_mistake(base: Path) -> None:
    file = base / "tokenizer.json"
    tokenizer = json.loads(file.read_text())
    tokenizer["model"]["vocab"].clear()
    file.write_text(json.dumps(tokenizer))
    with pytest.raises(ModelError, match=r"base model .*out of vocabulary"):
        load_encoder(str(base), 1_003_520)


def test_an_image_processor_that_merges_other_patches_is_refused(base: Path) -> None:
    file = base / "preprocessor_config.json"
    file.write_text(json.dumps(json.loads(file.read_text()) | {"merge_size": 1}))
    with pytest.raises(ModelError, match=r"merge_size 1, where Qwen2\.5-VL has 2"):
        load_encoder(str(base), 1_003_520)


@pytest.mark.parametrize(
    ("number", "said"),
    [
        (b"\x00\x00\xc0\x7f", "1 tensor with numbers that are not finite (NaN or infinite)"),
        (b"\x00\x00\x80\xff", "1 tensor with numbers that are not finite (NaN or infinite)"),
        (b"\x00\x00\x00\x00", "1 tensor of zeros alone"),
    ],
)
def test_numbers_that_no_model_has_end_the_loading(tmp_path: Path, number: bytes, said: str) -> None:
    """The files are as they should be: a download that stopped leaves zeros in one of the right size."""
    base = copy_base(tmp_path / "b")
    tensors = read_tensors(base / "model.safetensors")
    name = next(name for name in tensors if current_name(name) == "model.language_model.layers.1.mlp.up_proj.weight")
    kind, shape, content = tensors[name]
    number = number[-(len(content) // math.prod(shape)) :]  # the same number in bf16
    wrong = bytes(len(content)) if not any(number) else content[: -len(number)] + number
    write_tensors(base / "model.safetensors", tensors | {name: Tensor(kind, shape, wrong)})
    check_base(str(base))
    with pytest.raises(ModelError) as caught:
        load_base(str(base), KERNELS)
    assert caught.value.message == f"base model {base}: {said}: {current_name(name)}"
    assert caught.value.hint == "copy or download the model again"


def test_a_layer_that_was_added_and_changes_nothing_yet_is_said_and_used(tmp_path: Path) -> None:
    base = copy_base(tmp_path / "b")
    tensors = read_tensors(base / "model.safetensors")
    names = {f"model.language_model.layers.2.{part}.weight" for part in ("self_attn.o_proj", "mlp.down_proj")}
    for name, (kind, shape, content) in list(tensors.items()):
        if current_name(name) in names:
            tensors[name] = Tensor(kind, shape, bytes(len(content)))
    write_tensors(base / "model.safetensors", tensors)
    said: list[str] = []
    load_base(str(base), KERNELS, note=said.append)
    assert said == [
        f"base model {base}: 2 matrices of zeros alone: {', '.join(sorted(names))}; right only where their layers were"
        " added to be trained"
    ]


@pytest.mark.parametrize(("rank", "sound"), [(0, False), (1, True), (2, True)])
def test_under_zero_3_only_the_numbers_of_a_ranks_part_count(
    monkeypatch: pytest.MonkeyPatch, rank: int, sound: bool
) -> None:
    """Five zeros and ones on three ranks of three: the second has two and the third none, the rest is anything."""
    model = torch.nn.Linear(1, 5, bias=False)
    weight: Any = model.weight
    weight.ds_numel, weight.ds_tensor = 5, torch.tensor([0.0, 0.0, math.nan])
    monkeypatch.setattr(ranks, "rank", lambda: rank)
    if sound:
        refuse_numbers("b", model, print)
    else:
        with pytest.raises(ModelError, match="1 tensor with numbers that are not finite"):
            refuse_numbers("b", model, print)
