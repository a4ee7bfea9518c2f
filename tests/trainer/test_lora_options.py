"""Options of the adapter and of the base beyond plain LoRA: each trains, is counted, and survives its file."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

from vlmft_core.errors import ModelError
from vlmft_core.plan.activations import ALL
from vlmft_core.plan.architecture import DEMO_BASE, KNOWN
from vlmft_core.plan.base_folder import read_architecture
from vlmft_core.plan.memory import Memory, gpu_memory
from vlmft_core.preset import Lora, Preset
from vlmft_core.preset.schema import Hardware, Model
from vlmft_trainer.data.collate import collate
from vlmft_trainer.data.samples import Samples
from vlmft_trainer.model.adapter import add_adapter, lay_over, lora_targets, save_adapter
from vlmft_trainer.model.load import Kernels, count_parameters, load_base, prepare_training
from vlmft_trainer.model.loss import answer_loss
from vlmft_trainer.training.deepspeed_config import deepspeed_config

KERNELS = Kernels("fp32", "sdpa", ())
PATTERN = r".*layers\.[23]\.self_attn\.[qv]_proj"
OPTIONS = {
    "rslora": Lora(r=4, alpha=8, dropout=0, rslora=True),
    "dora": Lora(r=4, alpha=8, dropout=0, dora=True),
    "dora with dropout": Lora(r=4, alpha=8, dropout=0.1, dora=True, target_modules=["q_proj", "up_proj"]),
    "pattern": Lora(r=4, alpha=8, dropout=0, target_pattern=PATTERN),
    "pattern in both": Lora(r=4, alpha=8, dropout=0, target_pattern=r".*\.1\.mlp\.up_proj", vision_tower=True),
}


@pytest.fixture
def batch(samples: Samples) -> dict[str, torch.Tensor]:
    encoder = samples.encoder
    return collate([samples[0], samples[12]], pad_id=encoder.pad_id, image_id=encoder.image_id)


def trained(lora: Lora, batch: dict[str, torch.Tensor]) -> tuple[Any, float, float]:
    """A model after a few steps, and its loss before and after."""
    model = add_adapter(load_base(str(DEMO_BASE), KERNELS), lora, seed=0)
    prepare_training(model, gradient_checkpointing=False, train_vision=lora.vision_tower)
    model.train()
    optimizer = torch.optim.AdamW([weight for weight in model.parameters() if weight.requires_grad], lr=0.01)
    losses = []
    for _ in range(5):
        loss = answer_loss(model, batch).nll
        losses.append(float(loss.detach()))
        loss.backward()
        optimizer.step()
        optimizer.zero_grad()
    return model.eval(), losses[0], losses[-1]


@pytest.mark.parametrize("name", OPTIONS)
def test_each_kind_of_adapter_learns_and_its_file_brings_it_back(
    name: str, batch: dict[str, torch.Tensor], tmp_path: Path
) -> None:
    model, first, last = trained(OPTIONS[name], batch)
    assert last < first
    save_adapter(model, tmp_path / "adapter")
    again = lay_over(load_base(str(DEMO_BASE), KERNELS), str(tmp_path / "adapter"), pytest.fail).eval()
    with torch.no_grad():
        torch.testing.assert_close(answer_loss(again, batch).nll, answer_loss(model, batch).nll)


@pytest.mark.parametrize("name", OPTIONS)
def test_the_plan_counts_what_the_model_has(name: str) -> None:
    model = add_adapter(load_base(str(DEMO_BASE), KERNELS), OPTIONS[name], seed=0)
    trainable, _ = count_parameters(model)
    assert read_architecture(DEMO_BASE).lora_parameters(OPTIONS[name]) == trainable


def test_full_names_in_the_plan_are_those_of_the_model() -> None:
    base = load_base(str(DEMO_BASE), KERNELS)
    known = read_architecture(DEMO_BASE).linear_layers(vision_tower=True)
    linear = {name: module for name, module in base.named_modules() if isinstance(module, torch.nn.Linear)}
    del linear["lm_head"]
    assert known == {name: (module.in_features, module.out_features) for name, module in linear.items()}


def test_a_fresh_dora_adapter_changes_nothing_beyond_rounding(batch: dict[str, torch.Tensor]) -> None:
    base = load_base(str(DEMO_BASE), KERNELS).eval()
    with torch.no_grad():
        plain = answer_loss(base, batch).nll
        fresh = add_adapter(base, OPTIONS["dora"], seed=0).eval()
        torch.testing.assert_close(answer_loss(fresh, batch).nll, plain, rtol=1e-4, atol=1e-4)


def test_a_pattern_takes_the_place_of_the_names() -> None:
    names = lora_targets(load_base(str(DEMO_BASE), KERNELS), OPTIONS["pattern"])
    assert len(names) == 4
    assert all(name.endswith(("q_proj", "v_proj")) for name in names)


@pytest.mark.parametrize("pattern", ["q_proj", r".*visual.*"])
def test_a_pattern_that_matches_no_whole_name_is_refused_with_an_example(pattern: str) -> None:
    with pytest.raises(ModelError, match=r"matches no layer of the language model .*layers\.0\.self_attn\.q_proj"):
        KNOWN["Qwen2.5-VL-7B"].lora_parameters(Lora(target_pattern=pattern))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"lora": {"target_pattern": "("}}, "lora.target_pattern is no regular expression"),
        ({"lora": {"dora": True}, "hardware": {"zero_stage": 3}}, "lora.dora"),
        ({"hardware": {"offload": "parameters"}}, "hardware.zero_stage 3"),
        ({"hardware": {"offload": "optimizer", "zero_stage": 0}}, "hardware.zero_stage 2 or 3"),
        ({"model": {"quantization": "nf4"}, "hardware": {"zero_stage": 3}}, "nf4 and hardware.zero_stage 3"),
        ({"model": {"quantization": "nf4"}, "hardware": {"device": "cpu"}}, "nf4 needs a GPU"),
    ],
)
def test_what_the_libraries_cannot_do_at_once_is_refused(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Preset.model_validate(changes)


def test_four_bits_without_a_gpu_or_the_package_are_a_users_mistake(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("vlmft_trainer.model.load.find_spec", lambda name: None)
    with pytest.raises(ModelError, match=r"needs bitsandbytes \(pip install bitsandbytes\)"):
        load_base(str(DEMO_BASE), KERNELS, "nf4")
    monkeypatch.setattr("vlmft_trainer.model.load.find_spec", lambda name: object())
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    with pytest.raises(ModelError, match="nf4 needs a GPU"):
        load_base(str(DEMO_BASE), KERNELS, "nf4")


def test_the_memory_plan_knows_four_bits_and_offload() -> None:
    base, preset = KNOWN["Qwen2.5-VL-7B"], Preset()
    trainable = base.lora_parameters(preset.lora)

    def memory(model: Model = preset.model, **hardware: Any) -> Memory:
        with_hardware = Hardware(**hardware) if hardware else preset.hardware
        asked = preset.model_copy(update={"model": model, "hardware": with_hardware})
        return gpu_memory(asked, base, trainable, ALL)

    linear = 28 * sum(i * o for i, o in base.text_linears().values())
    saved = memory().weights - memory(Model(quantization="nf4")).weights
    assert saved == pytest.approx(1.484 * linear, rel=1e-3)
    assert memory().total - memory(offload="optimizer").total == 12 * trainable // 8
    alone, offloaded = (memory(zero_stage=3, gpus=1, offload=kind) for kind in ("none", "parameters"))
    assert alone.weights - offloaded.weights == 2 * (base.total_parameters - 10**9)
    assert alone.adapter - offloaded.adapter == 12 * trainable


@pytest.mark.parametrize(
    ("offload", "stage", "offloaded"),
    [
        ("none", 2, set()),
        ("optimizer", 2, {"offload_optimizer"}),
        ("parameters", 3, {"offload_optimizer", "offload_param"}),
    ],
)
def test_deepspeed_is_told_what_to_offload(offload: Any, stage: Any, offloaded: set[str]) -> None:
    preset = Preset(hardware=Hardware(offload=offload, zero_stage=stage))
    zero = deepspeed_config(preset, "bf16", on_gpu=True)["zero_optimization"]
    assert {key for key in zero if key.startswith("offload")} == offloaded
    assert all(zero[key]["device"] == "cpu" for key in offloaded)
    assert zero["overlap_comm"] is (stage == 3)


def test_deepspeed_reduces_an_adapters_gradients_in_one_bucket_of_their_size() -> None:
    zero = deepspeed_config(Preset(), "bf16", on_gpu=True, trainable=8_257_537)["zero_optimization"]
    assert zero["reduce_bucket_size"] == zero["allgather_bucket_size"] == 8_257_538


def test_language_model_and_vision_tower_are_counted_apart() -> None:
    small = replace(KNOWN["Qwen2.5-VL-3B"], layers=2, vision_depth=1)
    text, vision = small.lora_parts(Lora(r=1, target_modules=["up_proj"], vision_tower=True))
    assert text == 2 * (2048 + 11008)
    assert vision == 1280 + 3420
