"""The estimate of a GPU's memory, worked out by hand for a base of a few weights."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tests.core.test_flops import TINY
from vlmft_core.plan import make_plan
from vlmft_core.plan.activations import ALL, KEPT, Activations, Batch, activations, largest_batch
from vlmft_core.plan.architecture import KNOWN
from vlmft_core.plan.fit import memory_problem, unusable, ways_to_fit
from vlmft_core.plan.gpus import asked_gpu
from vlmft_core.plan.memory import base_bytes, choose_every, gpu_memory, gradient_bucket, least_every, weight_bytes
from vlmft_core.preset import Model, Preset, load_preset

SEVEN = KNOWN["Qwen2.5-VL-7B"]
PARAMETERS = TINY.total_parameters
TRAINABLE = 100
CUDA = 2_147_483_648
TOKENS = 2 * (10 + 128)
"""Two samples at once, each an image of ten tokens and 128 of text."""
ATTENTION = 2 * TOKENS * (2 * 8 + 2 * 4) + 4 * TOKENS * 2
NORMS = 2 * TOKENS * (2 * 8 + 4)
MLP = 2 * TOKENS * 2 * 16
ADAPTER = 3 * 2 * TOKENS * 16
"""The narrow results of q, v and o."""
LAYER = ATTENTION + NORMS + MLP + ADAPTER + 2 * TOKENS * 8
"""Without dropout q and v share their input; o's is attention's output."""
REST = 2 * 2 * TOKENS * 8 + TOKENS * (2 * 8 + 4) + 3 * 2 * TOKENS * 16


def preset(**changes: dict[str, Any]) -> Preset:
    """Two GPUs, micro-batches of two samples, images of ten tokens, bf16, no dropout."""
    values: dict[str, dict[str, Any]] = {
        "model": {"precision": "bf16", "attention": "sdpa"},
        "lora": {"dropout": 0},
        "data": {"max_pixels": 7840},
        "training": {"effective_batch": 4, "micro_batch": 2},
        "hardware": {"gpus": 2, "zero_stage": 2},
    }
    for section, fields in changes.items():
        values[section] = values.get(section, {}) | fields
    return Preset.model_validate(values)


def sizes(**changes: dict[str, Any]) -> Activations:
    changed = preset(**changes)
    return activations(changed, TINY, largest_batch(changed, TINY))


def test_a_layer_keeps_what_attention_norms_mlp_and_adapter_need() -> None:
    assert sizes().layers == (LAYER, LAYER)
    assert sizes().peak(KEPT) == 2 * LAYER + REST
    plain = sizes(model={"precision": "bf16", "fused_kernels": False}).layers[0]
    assert plain == LAYER - NORMS + 2 * TOKENS * (4 * 8 + 4) + 2 * TOKENS * 16  # norms in fp32, the gate twice


def test_dropout_keeps_the_input_of_each_adapter_and_a_byte_for_what_it_dropped() -> None:
    assert sizes(lora={"dropout": 0.05}, model={"fused_kernels": False}).layers[0] == (
        sizes(model={"fused_kernels": False}).layers[0] - 2 * TOKENS * 8 + 3 * (2 + 1) * TOKENS * 8
    )


def test_recomputed_layers_keep_their_input_and_one_needs_room() -> None:
    inputs = 2 * TOKENS * 8
    assert sizes().peak(ALL) == 2 * inputs + LAYER + REST
    assert sizes().peak(2) == inputs + LAYER + REST  # by then the last layer's share is free


def test_layers_below_the_first_adapter_keep_nothing() -> None:
    upper = {"target_pattern": r".*layers\.1\..*\.o_proj", "dropout": 0}
    assert sizes(lora=upper).layers == (0, ATTENTION + NORMS + MLP + 2 * TOKENS * 16)
    below = sizes(lora=upper | {"modules_to_save": ["embed_tokens"]}).layers[0]
    assert below == ATTENTION + NORMS + MLP  # the embedding learns, so gradients come down to it


def test_a_sample_is_never_longer_than_the_longest_allowed() -> None:
    assert largest_batch(preset(), TINY) == Batch(2, TOKENS, 138, 2 * 10 * 4)
    assert largest_batch(preset(data={"max_length": 100}), TINY) == Batch(2, 200, 100, 2 * 10 * 4)


def test_eager_attention_keeps_the_scores_of_every_head() -> None:
    scores = 2 * 2 * 138**2 * (2 * 2 + 4)
    assert sizes(model={"attention": "eager"}).layers[0] == LAYER + scores
    exact = sizes(model={"precision": "fp32"}).layers[0]
    scores = 2 * 2 * 138**2 * (2 * 4 + 4)
    assert sizes(model={"attention": "eager", "precision": "fp32"}).layers[0] == exact + scores


def test_an_adapted_tower_keeps_its_blocks_and_a_frozen_one_none() -> None:
    frozen = sizes(lora={"target_modules": ["gate_proj"]})
    adapted = sizes(lora={"target_modules": ["gate_proj"], "vision_tower": True})
    assert frozen.blocks == ()
    assert len(adapted.blocks) == 3
    assert adapted.peak(KEPT) > frozen.peak(KEPT) + sum(adapted.blocks)
    assert replace(frozen, frozen_tower=10**9).peak(KEPT) == 10**9  # it runs before anything is kept


def test_memory_is_the_sum_of_its_parts() -> None:
    found = gpu_memory(preset(), TINY, TRAINABLE, KEPT)
    assert found.weights == 2 * PARAMETERS
    assert found.activations == sizes().peak(KEPT)
    assert found.logits == 2 * 32 * 32 * (2 + 8)
    assert found.images == 2 * 80 * 5
    assert found.fixed == CUDA
    assert found.total == sum(vars(found).values())
    assert gpu_memory(preset(), TINY, TRAINABLE, ALL).activations == sizes().peak(ALL)
    short = Batch(1, 50, 50, 80)
    assert gpu_memory(preset(), TINY, TRAINABLE, KEPT, short).total < found.total


@pytest.mark.parametrize(
    ("hardware", "weights", "adapter"),
    [
        ({}, 2 * PARAMETERS, 400 + 200 + 700),
        ({"zero_stage": 0}, 2 * PARAMETERS, 400 + 1400),
        ({"offload": "optimizer"}, 2 * PARAMETERS, 400 + 200 + 100),
    ],
)
def test_zero_shares_state_and_offload_takes_it_away(hardware: dict[str, Any], weights: int, adapter: int) -> None:
    found = gpu_memory(preset(hardware=hardware), TINY, TRAINABLE, KEPT)
    assert (found.weights, found.adapter) == (weights, adapter)


def test_zero_3_shares_weights_but_gathers_up_to_a_billion() -> None:
    sharded = preset(hardware={"zero_stage": 3})
    assert base_bytes(sharded, SEVEN) == 2 * (SEVEN.total_parameters // 2 + 1_000_000_000)
    assert base_bytes(sharded, TINY) == 2 * PARAMETERS  # so few that all are gathered
    offloaded = preset(hardware={"zero_stage": 3, "offload": "parameters"})
    assert base_bytes(offloaded, SEVEN) == 2_000_000_000


def test_a_weight_has_the_bytes_of_its_number_format() -> None:
    for precision, size in (("bf16", 2), ("fp16", 2), ("fp32", 4), ("auto", 2)):
        assert weight_bytes(preset(model={"precision": precision})) == size
    assert weight_bytes(preset(hardware={"device": "cpu"}, model={"precision": "auto"})) == 4


def test_a_cpu_holds_no_cuda_context() -> None:
    assert gpu_memory(preset(hardware={"device": "cpu"}), TINY, TRAINABLE, KEPT).fixed == 0


def test_four_bits_halve_a_byte_for_the_language_models_linear_layers() -> None:
    linear = 2 * (64 + 32 + 32 + 64 + 3 * 128)
    assert base_bytes(preset(model={"quantization": "nf4"}), TINY) == 2 * (PARAMETERS - linear) + round(0.516 * linear)


def test_all_gradients_of_an_adapter_fit_into_one_even_bucket() -> None:
    assert (gradient_bucket(100), gradient_bucket(101)) == (100, 102)
    assert gradient_bucket(10**9) == 500_000_000
    assert gradient_bucket(None) == 50_000_000


def test_as_few_layers_are_recomputed_as_the_memory_needs() -> None:
    four = replace(TINY, layers=4)
    needed = {every: gpu_memory(preset(), four, TRAINABLE, every).total for every in (KEPT, 4, 3, 2, ALL)}

    def chosen(bytes_free: int) -> int:
        return choose_every(preset(), four, TRAINABLE, round(bytes_free / 0.9) + 1)

    assert chosen(needed[KEPT]) == KEPT
    assert chosen(needed[KEPT] - 9) == 4
    assert chosen(needed[2]) == 2
    assert chosen(needed[2] - 9) == ALL
    assert chosen(10) == ALL  # nothing fits


def test_a_presets_word_on_recomputation_counts_whatever_the_memory() -> None:
    for training, every in (
        ({"gradient_checkpointing": False}, KEPT),
        ({"gradient_checkpointing": True}, ALL),
        ({"gradient_checkpointing": True, "recompute_every": 3}, 3),
    ):
        asked = preset(training=training | {"effective_batch": 4, "micro_batch": 2})
        assert choose_every(asked, TINY, TRAINABLE, 10) == choose_every(asked, TINY, TRAINABLE, 10**12) == every
        assert least_every(asked) == every
    assert least_every(preset()) == ALL


def test_what_does_not_fit_is_told_with_what_would() -> None:
    large, gpu = KNOWN["Qwen2.5-VL-72B"], asked_gpu("H100")
    asked = Preset()
    trainable = large.lora_parameters(asked.lora)
    assert "GiB, H100 80GB HBM3 has 79.6" in memory_problem(asked, large, trainable, gpu)
    nf4, shared = ways_to_fit(asked, large, trainable, gpu)
    assert nf4.startswith("--set model.quantization=nf4: ")
    assert shared.startswith("--set hardware.zero_stage=3: ")
    assert memory_problem(asked, SEVEN, 8_257_536, gpu) == ""


@pytest.mark.parametrize(
    ("size", "gpus", "options", "left"),
    [
        ("72B", 8, "--set hardware.zero_stage=3 --set training.micro_batch=1: ", ""),
        ("72B", 1, "--set model.quantization=nf4 --set training.micro_batch=1 --set data.max_pixels=401408: ", "still"),
    ],
)
def test_where_no_change_suffices_several_are_told_and_what_is_too_much_after_all(
    size: str, gpus: int, options: str, left: str
) -> None:
    base, gpu = KNOWN[f"Qwen2.5-VL-{size}"], asked_gpu("4090")
    asked = Preset.model_validate({"hardware": {"gpus": gpus}})
    [told] = ways_to_fit(asked, base, base.lora_parameters(asked.lora), gpu)
    assert told.startswith(options)
    assert ("still too much" in told) == bool(left)
    if not left:
        assert float(told.split()[-2]) * 2**30 < gpu.memory


@pytest.mark.parametrize(
    "more",
    ["", "hardware: {zero_stage: 3}", "hardware: {gpus: 1}", "lora: {dora: true}", "training: {micro_batch: 2}"],
)
def test_what_is_told_to_fit_does_when_it_is_set(tmp_path: Path, more: str) -> None:
    """The options are those of the command line; `auto` may then have room to recompute less."""
    file = tmp_path / "large.yaml"
    file.write_text(f"model: {{base: Qwen/Qwen2.5-VL-72B-Instruct}}\n{more}\n")
    for gpu in ("H100", "L40S", "4090", "L4"):
        for way in make_plan(load_preset(file, []).preset, samples=1000, gpu=asked_gpu(gpu)).ways_to_fit:
            settings = way.partition(":")[0].replace("--set ", "").split()
            mended = make_plan(load_preset(file, [], settings).preset, samples=1000, gpu=asked_gpu(gpu))
            assert mended.fits or way.endswith("still too much")


def test_kept_activations_that_do_not_fit_may_be_recomputed() -> None:
    asked = Preset.model_validate({"training": {"gradient_checkpointing": False}})
    *_, told = ways_to_fit(asked, SEVEN, 8_257_536, asked_gpu("4090"))
    assert told.startswith("--set training.gradient_checkpointing=true --set training.recompute_every=1: ")
    half = Preset.model_validate({"training": {"gradient_checkpointing": True, "recompute_every": 2}})
    ways = ways_to_fit(half, SEVEN, 1, asked_gpu("4090"))
    assert any(way.startswith("--set training.recompute_every=1: ") for way in ways)


def test_what_cannot_compute_this_model_is_refused_with_the_reason() -> None:
    assert "fp16 cannot be used: this model's vision tower" in unusable(Model(precision="fp16"), None)
    assert unusable(Model(), asked_gpu("V100")).startswith("Tesla V100-SXM2-32GB has no bf16")
    assert unusable(Model(precision="fp32"), asked_gpu("V100")) == ""
    assert unusable(Model(), asked_gpu("A100")) == ""
