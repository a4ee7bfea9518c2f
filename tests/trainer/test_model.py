"""The model with its adapter: which layers are adapted, what is frozen, and positions in images."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from vlmft_core.errors import ModelError, VlmftError
from vlmft_core.plan.architecture import DEMO_BASE
from vlmft_core.preset import Lora, Model
from vlmft_trainer.data.collate import collate
from vlmft_trainer.data.samples import Samples
from vlmft_trainer.model.adapter import add_adapter, lora_targets
from vlmft_trainer.model.load import (
    Kernels,
    assert_positions,
    choose_kernels,
    count_parameters,
    load_base,
    load_encoder,
    prepare_training,
)
from vlmft_trainer.model.loss import answer_loss
from vlmft_trainer.training.callbacks.rope_precision import RopePrecision

KERNELS = Kernels("fp32", "sdpa", ())


def adapted(lora: Lora, *, checkpointing: bool = False, seed: int = 0) -> Any:
    model = add_adapter(load_base(str(DEMO_BASE), KERNELS), lora, seed)
    prepare_training(model, gradient_checkpointing=checkpointing, train_vision=lora.vision_tower)
    model.train()
    return model


@pytest.fixture
def batch(samples: Samples) -> dict[str, torch.Tensor]:
    encoder = samples.encoder
    return collate([samples[0], samples[12]], pad_id=encoder.pad_id, image_id=encoder.image_id)


def backwards_in_tower(model: Any, batch: dict[str, torch.Tensor]) -> int:
    """How many blocks of the vision tower a backward pass goes through."""
    calls = []
    visual = model.get_base_model().model.visual
    for block in (visual.patch_embed, *visual.blocks, visual.merger):
        block.register_full_backward_hook(lambda *_: calls.append(1))
    answer_loss(model, batch).nll.backward()
    return len(calls)


@pytest.mark.parametrize("checkpointing", [False, True])
def test_a_frozen_vision_tower_gets_no_backward(batch: dict[str, torch.Tensor], checkpointing: bool) -> None:
    model = adapted(Lora(r=4, alpha=8, dropout=0), checkpointing=checkpointing)
    assert backwards_in_tower(model, batch) == 0
    gradients = {name: weight.grad for name, weight in model.named_parameters() if weight.requires_grad}
    assert gradients
    assert all(gradient is not None for gradient in gradients.values())
    # lora_A's gradient is 0 while lora_B is; lora_B's shows that every layer took part.
    assert all(gradient.abs().sum() > 0 for name, gradient in gradients.items() if "lora_B" in name)


def test_an_adapted_vision_tower_is_trained(batch: dict[str, torch.Tensor]) -> None:
    model = adapted(Lora(r=4, alpha=8, dropout=0, target_modules=["up_proj"], vision_tower=True), checkpointing=True)
    assert backwards_in_tower(model, batch) > 0
    names = [name for name, weight in model.named_parameters() if weight.requires_grad and "lora_B" in name]
    assert any(".visual." in name for name in names)
    assert any(".language_model." in name for name in names)


def test_checkpointing_changes_no_gradient(batch: dict[str, torch.Tensor]) -> None:
    gradients = []
    for checkpointing in (False, True):
        model = adapted(Lora(r=4, alpha=8, dropout=0), checkpointing=checkpointing)
        answer_loss(model, batch).nll.backward()
        gradients.append([weight.grad for weight in model.parameters() if weight.requires_grad])
    for plain, recomputed in zip(*gradients, strict=True):
        torch.testing.assert_close(plain, recomputed)


def test_mlp_names_match_the_language_model_only_unless_the_tower_is_asked_for() -> None:
    base = load_base(str(DEMO_BASE), KERNELS)
    names = lora_targets(base, Lora(target_modules=["gate_proj", "q_proj"]))
    assert len(names) == 2 * base.config.text_config.num_hidden_layers
    assert all(".language_model." in name for name in names)
    both = lora_targets(base, Lora(target_modules=["gate_proj"], vision_tower=True))
    assert len(both) == base.config.text_config.num_hidden_layers + base.config.vision_config.depth


def test_a_name_that_matches_nothing_is_refused_with_the_names_there_are() -> None:
    base = load_base(str(DEMO_BASE), KERNELS)
    with pytest.raises(ModelError, match=r"k_porj' matches no layer, did you mean k_proj.*valid names"):
        lora_targets(base, Lora(target_modules=["q_proj", "k_porj"]))
    with pytest.raises(ModelError, match="qkv' matches no layer of the language model"):
        lora_targets(base, Lora(target_modules=["qkv"]))


def test_the_adapter_starts_from_the_seed_and_changes_nothing_yet(batch: dict[str, torch.Tensor]) -> None:
    one, same, other = (adapted(Lora(r=4, alpha=8), seed=seed) for seed in (1, 1, 2))
    first = [next(w for n, w in model.named_parameters() if "lora_A" in n) for model in (one, same, other)]
    assert torch.equal(first[0], first[1])
    assert not torch.equal(first[0], first[2])
    base = load_base(str(DEMO_BASE), KERNELS)
    with torch.no_grad():
        torch.testing.assert_close(answer_loss(one.eval(), batch).nll, answer_loss(base.eval(), batch).nll)


def test_only_the_adapter_is_counted_as_trainable_and_put_into_state_dicts() -> None:
    model = adapted(Lora(r=4, alpha=8, target_modules=["q_proj"]))
    layers, width = 4, 192
    trainable, total = count_parameters(model)
    assert trainable == layers * 4 * (width + width)
    assert total > 10 * trainable
    assert all("lora_" in name for name in model.state_dict())


def test_a_batch_that_lost_its_image_positions_is_refused(batch: dict[str, torch.Tensor]) -> None:
    model = adapted(Lora(r=4, alpha=8))
    assert_positions(model, batch)
    with pytest.raises(RuntimeError, match="not the model's own"):
        assert_positions(model, batch | {"position_ids": batch["position_ids"] + 1})
    worked_out = {name: value for name, value in batch.items() if name != "position_ids"}
    assert_positions(model, worked_out)
    without = {name: value for name, value in worked_out.items() if name != "mm_token_type_ids"}
    with pytest.raises(RuntimeError, match="lost the positions"):
        assert_positions(model, without)
    with pytest.raises(RuntimeError, match="lost the positions"):
        assert_positions(model, worked_out | {"mm_token_type_ids": torch.zeros_like(batch["input_ids"])})


@pytest.mark.parametrize(
    ("model", "capability", "reason"),
    [
        (Model(precision="fp16"), None, "fp16 cannot be used: this model's vision tower"),
        (Model(), (7, 0), "Old GPU has no bf16, and fp16 cannot be used"),
        (Model(precision="fp32"), (7, 0), r"has no code for Old GPU \(sm_70; it has sm_80, sm_90\)"),
    ],
    ids=["fp16", "no bf16", "no code"],
)
def test_what_cannot_compute_this_model_is_refused_before_anything_is_loaded(
    monkeypatch: pytest.MonkeyPatch, model: Model, capability: tuple[int, int] | None, reason: str
) -> None:
    if capability:
        monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
        monkeypatch.setattr(torch.cuda, "get_device_name", lambda: "Old GPU")
        monkeypatch.setattr(torch.cuda, "get_device_capability", lambda: capability)
        monkeypatch.setattr(torch.cuda, "get_arch_list", lambda: ["sm_80", "sm_90"])
    with pytest.raises(VlmftError, match=reason):
        choose_kernels(model)


def test_without_a_gpu_flash_attention_falls_back_with_a_note_and_precision_is_fp32() -> None:
    kernels = choose_kernels(Model(base="demo", attention="flash_attention_2"))
    assert (kernels.precision, kernels.attention) == ("fp32", "sdpa")
    assert kernels.notes == ("flash attention is not used (no GPU); SDPA attention is used instead",)
    assert choose_kernels(Model(base="demo", precision="bf16")) == Kernels("bf16", "sdpa", ())


def test_a_folder_that_is_no_model_is_a_users_mistake(tmp_path: Any) -> None:
    with pytest.raises(ModelError, match=str(tmp_path)):
        load_encoder(str(tmp_path), 200704)
    with pytest.raises(ModelError, match=str(tmp_path)):
        load_base(str(tmp_path), KERNELS)


@pytest.mark.parametrize("part", ["language_model", "visual"])
def test_positions_that_an_engine_has_rounded_are_refused_before_the_first_step(part: str) -> None:
    model = adapted(Lora(r=4, alpha=8))
    begins = RopePrecision().on_train_begin
    for weight in model.parameters():
        weight.data = weight.data.bfloat16()
    begins(None, None, None, model=model)
    for name, buffer in model.named_buffers():
        if part in name and name.endswith("inv_freq"):
            buffer.data = buffer.data.bfloat16()
    with pytest.raises(ModelError, match=f"{part}.*inv_freq is in bfloat16"):
        begins(None, None, None, model=model)
