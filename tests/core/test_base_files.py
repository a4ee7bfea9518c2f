"""A base model that is not whole is refused before anything starts: cut files, stubs, lost tensors."""

from __future__ import annotations

import json
import random
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.core.weights import Tensor, copy_base, read_tensors, write_tensors
from vlmft_core.errors import ModelError
from vlmft_core.plan.architecture import DEMO_BASE
from vlmft_core.plan.base_files import check_base, current_name

POINTER = b"version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 5606432\n"


def refused(base: Path | str) -> str:
    with pytest.raises(ModelError) as caught:
        check_base(str(base))
    assert "\n" not in str(caught.value)
    return str(caught.value)


def shard(base: Path, number: int) -> Path:
    return sorted(base.glob("model-*.safetensors"))[number]


@pytest.mark.parametrize("shards", [1, 3])
def test_a_whole_base_is_taken(tmp_path: Path, shards: int) -> None:
    check_base(str(copy_base(tmp_path / "b", shards)))


def test_looking_takes_no_torch() -> None:
    look = "from vlmft_core.plan.base_files import check_base; check_base('demo')"
    code = f"import sys; {look}; print('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "False\n"


@pytest.mark.parametrize("left", [0.0, 0.000001, 0.001, 0.5, 0.999999])
def test_a_shard_that_was_cut_short_is_named(tmp_path: Path, left: float) -> None:
    base = copy_base(tmp_path / "b", 3)
    file = shard(base, 1)
    content = file.read_bytes()
    file.write_bytes(content[: int(left * len(content))])
    assert str(file) in refused(base)
    if left > 0.1:
        assert f"is cut short: {int(left * len(content)):,} bytes, its header says {len(content):,}" in refused(base)


def to_a_shard(change: Callable[[Path], object]) -> Callable[[Path], object]:
    return lambda base: change(shard(base, 1))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (to_a_shard(lambda file: file.unlink()), "lacks model-00002-of-00003.safetensors"),
        (to_a_shard(lambda file: file.write_bytes(b"")), "is empty (0 bytes)"),
        (to_a_shard(lambda file: file.write_bytes(POINTER)), "is a Git LFS pointer, not the file itself (run `git lfs"),
        (to_a_shard(lambda file: file.write_bytes(b"<html><body>404</body></html>")), "is not a safetensors file"),
        (to_a_shard(lambda file: file.write_bytes(file.read_bytes() + b"x")), "is longer than it should be"),
        (to_a_shard(lambda file: file.rename(f"{file}.incomplete")), ": 1 unfinished download ("),
        (lambda base: (base / "tokenizer.json").write_bytes(POINTER), "tokenizer.json: is a Git LFS pointer"),
        (lambda base: (base / "tokenizer.json").unlink(), "lacks tokenizer.json"),
        (lambda base: (base / "tokenizer.json").write_bytes(b""), "tokenizer.json: is empty"),
        (lambda base: (base / "tokenizer.json").write_bytes(b"<html>"), "tokenizer.json: not valid JSON"),
        (
            lambda base: (base / "tokenizer.json").write_bytes(b'{"a":' + b" " * (1 << 20)),
            "tokenizer.json: is cut short",
        ),
        (
            lambda base: (base / "preprocessor_config.json").write_bytes(b"[]"),
            "preprocessor_config.json: not a JSON obj",
        ),
        (lambda base: (base / "generation_config.json").write_bytes(b"{"), "generation_config.json: not valid JSON"),
        (lambda base: (base / "model.safetensors.index.json").write_bytes(b""), "index.json: is empty"),
        (lambda base: (base / "model.safetensors.index.json").write_bytes(b"[]"), "not a JSON object"),
        (lambda base: (base / "model.safetensors.index.json").write_bytes(b'{"weight_map": 3}'), "has no weight_map"),
    ],
)
def test_a_file_that_is_not_what_it_should_be_is_named(
    tmp_path: Path, change: Callable[[Path], object], message: str
) -> None:
    base = copy_base(tmp_path / "b", 3)
    change(base)
    assert message in refused(base)


def test_an_index_that_promises_more_than_its_files_hold_is_refused(tmp_path: Path) -> None:
    base = copy_base(tmp_path / "b", 3)
    index = base / "model.safetensors.index.json"
    content = json.loads(index.read_text())
    content["weight_map"] |= {"model.extra": shard(base, 0).name}
    index.write_text(json.dumps(content))
    assert "1 tensor not in the file that it names: model.extra" in refused(base)
    content["weight_map"] |= {"model.extra": "model-00004-of-00003.safetensors"}
    index.write_text(json.dumps(content))
    assert "lacks model-00004-of-00003.safetensors" in refused(base)


def test_an_index_that_names_another_shard_is_refused(tmp_path: Path) -> None:
    base = copy_base(tmp_path / "b", 2)
    index = base / "model.safetensors.index.json"
    content = json.loads(index.read_text())
    content["weight_map"]["lm_head.weight"] = shard(base, 1).name
    index.write_text(json.dumps(content))
    assert "1 tensor not in the file that it names: lm_head.weight" in refused(base)


@pytest.mark.parametrize("kind", ["U8", "I8", "F8_E4M3", "BOOL"])
def test_weights_that_are_not_numbers_as_they_stand_are_refused(tmp_path: Path, kind: str) -> None:
    base = copy_base(tmp_path / "b")
    tensors = read_tensors(base / "model.safetensors")
    norm = tensors["model.norm.weight"]
    packed = {"model.norm.weight": Tensor(kind, norm.shape, norm.data[: norm.shape[0]])}
    write_tensors(base / "model.safetensors", tensors | packed)
    assert f"1 of 105 tensors in {kind}: model.norm.weight (weights must be bf16, fp16 or fp32)" in refused(base)


def test_a_large_tokenizer_and_a_persons_own_file_are_no_mistake(tmp_path: Path) -> None:
    base = copy_base(tmp_path / "b", 1)
    whole = (base / "tokenizer.json").read_bytes().rstrip()
    (base / "tokenizer.json").write_bytes(whole[:-1] + b" " * (1 << 20) + b"}\n")
    (base / "my_notes.json").write_bytes(b"[1, 2")
    check_base(str(base))


def test_a_tokenizer_of_two_files_will_do(tmp_path: Path) -> None:
    base = copy_base(tmp_path / "b")
    (base / "tokenizer.json").unlink()
    for name in ("vocab.json", "merges.txt"):
        assert "lacks tokenizer.json" in refused(base)
        (base / name).write_text("{}")
    check_base(str(base))


def test_a_tensor_in_two_shards_is_refused(tmp_path: Path) -> None:
    base = copy_base(tmp_path / "b", 2)
    first = read_tensors(shard(base, 0))
    write_tensors(shard(base, 1), read_tensors(shard(base, 1)) | {"lm_head.weight": first["lm_head.weight"]})
    assert "1 tensor in another shard too: lm_head.weight" in refused(base)


def test_a_tensor_under_its_old_and_its_new_name_is_refused(tmp_path: Path) -> None:
    """transformers would read one of the two, and not say which."""
    base = copy_base(tmp_path / "b")
    tensors = read_tensors(base / "model.safetensors")
    new = {"model.language_model.norm.weight": tensors["model.norm.weight"]}
    write_tensors(base / "model.safetensors", tensors | new)
    assert "model.norm.weight and model.language_model.norm.weight are the same tensor" in refused(base)


@pytest.mark.parametrize("name", ["pytorch_model.bin", "pytorch_model-00001-of-00002.bin", "model.gguf"])
def test_weights_in_another_format_are_said_with_what_is_needed(tmp_path: Path, name: str) -> None:
    base = copy_base(tmp_path / "b")
    (base / "model.safetensors").rename(base / name)
    assert f"lacks model.safetensors; its weights are in {name}" in refused(base)
    assert "save_pretrained" in refused(base)


def test_an_adapter_is_no_base(tmp_path: Path) -> None:
    (tmp_path / "adapter_config.json").write_text("{}")
    assert "is an adapter, not a base model (lora.start_from" in refused(tmp_path)


def test_the_file_that_transformers_would_read_is_the_one_looked_at(tmp_path: Path) -> None:
    base = copy_base(tmp_path / "b", 3)
    single = base / "model.safetensors"
    single.write_bytes((DEMO_BASE / "model.safetensors").read_bytes()[:-1])
    assert str(single) in refused(base)


def test_lost_new_and_changed_tensors_are_counted_and_named(tmp_path: Path) -> None:
    base = copy_base(tmp_path / "b")
    file = base / "model.safetensors"
    tensors = read_tensors(file)
    lost = {name: tensor for name, tensor in tensors.items() if ".layers.2." not in name}
    write_tensors(file, lost)
    assert "lacks 12 of 105 tensors: model.language_model.layers.2.input_layernorm.weight, " in refused(base)
    write_tensors(file, tensors | {"model.layers.4.mlp.up_proj.weight": tensors["model.layers.3.mlp.up_proj.weight"]})
    assert "holds 1 tensor that its config.json has no place for: model.language_model.layers.4" in refused(base)
    norm = tensors["model.norm.weight"]
    write_tensors(
        file, tensors | {"model.norm.weight": norm._replace(shape=[96], data=norm.data[: len(norm.data) // 2])}
    )
    assert "1 tensor of another shape" in refused(base)
    assert "model.language_model.norm.weight: 96, not 192" in refused(base)


def test_names_of_every_transformers_version_and_a_tied_output_layer_are_no_loss(tmp_path: Path) -> None:
    base = copy_base(tmp_path / "b")
    file = base / "model.safetensors"
    tensors = read_tensors(file)
    del tensors["lm_head.weight"]
    write_tensors(file, {current_name(name): tensor for name, tensor in tensors.items()})
    check_base(str(base))
    rotary = tensors["model.norm.weight"]
    write_tensors(file, tensors | {"model.layers.0.self_attn.rotary_emb.inv_freq": rotary})
    check_base(str(base))


def test_a_quantised_base_has_tensors_of_its_own(tmp_path: Path) -> None:
    base = copy_base(tmp_path / "b")
    config = json.loads((base / "config.json").read_text())
    (base / "config.json").write_text(json.dumps(config | {"quantization_config": {"quant_method": "awq"}}))
    tensors = read_tensors(base / "model.safetensors")
    tensors["model.layers.0.mlp.up_proj.scales"] = tensors.pop("model.layers.0.mlp.up_proj.weight")
    write_tensors(base / "model.safetensors", tensors)
    check_base(str(base))


def test_of_a_hub_model_the_cache_is_looked_at(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path))
    check_base("Qwen/Qwen2.5-VL-3B-Instruct")
    model = tmp_path / "models--Qwen--Qwen2.5-VL-3B-Instruct"
    base = copy_base(model / "snapshots" / "abc", 3)
    (model / "refs").mkdir()
    (model / "refs" / "main").write_text("abc")
    check_base("Qwen/Qwen2.5-VL-3B-Instruct")
    file = shard(base, 0)
    file.write_bytes(file.read_bytes()[:-1])
    assert str(file) in refused("Qwen/Qwen2.5-VL-3B-Instruct")
    file.unlink()  # it is downloaded when the model is loaded
    check_base("Qwen/Qwen2.5-VL-3B-Instruct")


def test_a_base_that_lost_any_byte_is_refused(tmp_path: Path) -> None:
    """200 of 200, in the length, in the header and in the weights: the size no longer fits the header."""
    draw = random.Random(12)
    base = copy_base(tmp_path / "b")
    file = base / "model.safetensors"
    whole = file.read_bytes()
    header = 8 + int.from_bytes(whole[:8], "little")
    ends = (8, header, len(whole))
    for number in range(200):
        at = number if number < 8 else draw.randrange(ends[number % 3])
        file.write_bytes(whole[:at] + whole[at + 1 :])
        assert str(file) in refused(base), at


def test_a_base_that_lost_any_tensor_is_refused(tmp_path: Path) -> None:
    draw = random.Random(12)
    base = copy_base(tmp_path / "b")
    file = base / "model.safetensors"
    tensors = read_tensors(file)
    del tensors["lm_head.weight"]  # the embedding is used in its place
    for _ in range(200):
        lost = draw.choice(list(tensors))
        write_tensors(file, {name: tensor for name, tensor in tensors.items() if name != lost})
        assert f"lacks 1 of 105 tensors: {current_name(lost)}" in refused(base)
