"""The estimate of a GPU's memory, worked out by hand for a base of a few weights."""

from __future__ import annotations

from typing import Any

import pytest

from tests.core.test_flops import TINY
from vlmft_core.plan.architecture import KNOWN
from vlmft_core.plan.memory import base_bytes, gpu_bytes, needs_checkpointing, weight_bytes
from vlmft_core.preset import Preset

PARAMETERS = TINY.total_parameters
TRAINABLE = 100
CUDA = 2_147_483_648
TOKENS = 2 * (10 + 128)
"""Two samples at once, each an image of ten tokens and 128 of text."""
LAYER = TOKENS * (2 * (2 * 4 + 3 * 16) + 8 * (33 + 4 * 2))
"""Activations of one layer in bf16."""
BLOCK = 2 * (2 * 10 * 4) * (8 * 4 + 4 * 6)
"""Activations of one block of the vision tower in bf16."""
LOGITS = 2 * 32 * 32 * (2 + 8)
ADAPTER = 2 * TRAINABLE + (2 + 12) * TRAINABLE // 2
RECOMPUTED = LAYER + 2 * (2 * TOKENS * 8)


def preset(**changes: dict[str, Any]) -> Preset:
    """Two GPUs, micro-batches of two samples, images of ten tokens, bf16."""
    values: dict[str, dict[str, Any]] = {
        "model": {"precision": "bf16", "attention": "sdpa"},
        "data": {"max_pixels": 7840},
        "training": {"effective_batch": 4, "micro_batch": 2},
        "hardware": {"gpus": 2, "zero_stage": 2},
    }
    for section, fields in changes.items():
        values[section] = values.get(section, {}) | fields
    return Preset.model_validate(values)


def estimated(*, checkpointing: bool | None = None, **changes: dict[str, Any]) -> int:
    return gpu_bytes(preset(**changes), TINY, TRAINABLE, checkpointing=checkpointing)


def test_the_estimate_is_the_sum_of_its_parts() -> None:
    fixed = 2 * PARAMETERS + ADAPTER + BLOCK + LOGITS + CUDA
    assert estimated() == fixed + RECOMPUTED
    assert estimated(checkpointing=True) == fixed + RECOMPUTED
    assert estimated(checkpointing=False) == fixed + 2 * LAYER
    assert estimated(training={"gradient_checkpointing": False}) == fixed + 2 * LAYER


def test_a_sample_is_never_longer_than_the_longest_allowed() -> None:
    tokens = 2 * 100
    layer = tokens * (2 * (2 * 4 + 3 * 16) + 8 * (33 + 4 * 2))
    fixed = 2 * PARAMETERS + ADAPTER + BLOCK + LOGITS + CUDA
    assert estimated(data={"max_length": 100}) == fixed + layer + 2 * (2 * tokens * 8)


def test_eager_attention_keeps_the_scores_of_every_head() -> None:
    scores = 2 * 2 * (10 + 128) ** 2 * (2 * 2 + 4)
    assert estimated(model={"attention": "eager"}) == estimated() + scores
    one_at_once: dict[str, Any] = {"micro_batch": 1}
    exact = estimated(model={"precision": "fp32"}, training=one_at_once)
    scores = 1 * 2 * (10 + 128) ** 2 * (2 * 4 + 4)
    assert estimated(model={"attention": "eager", "precision": "fp32"}, training=one_at_once) == exact + scores


def test_an_adapted_tower_keeps_the_input_of_each_block_or_all_of_them() -> None:
    inputs = 3 * 2 * (2 * 10 * 4) * 4
    adapted = {"lora": {"vision_tower": True}}
    assert estimated(**adapted) == estimated() + inputs
    assert estimated(**adapted, checkpointing=False) == estimated(checkpointing=False) + 2 * BLOCK


@pytest.mark.parametrize(
    ("hardware", "weights", "adapter"),
    [
        ({"zero_stage": 0}, 2 * PARAMETERS, 200 + 1400),
        ({"zero_stage": 3}, 2 * PARAMETERS // 2, 200 + 700),
        ({"offload": "optimizer"}, 2 * PARAMETERS, 200 + 100),
        ({"zero_stage": 3, "offload": "parameters"}, 2 * PARAMETERS, 200 + 100),
    ],
)
def test_zero_shares_state_and_weights_and_offload_takes_them_away(
    hardware: dict[str, Any], weights: int, adapter: int
) -> None:
    changed = preset(hardware=hardware)
    assert base_bytes(changed, TINY) == weights
    rest = RECOMPUTED + BLOCK + LOGITS + CUDA
    assert gpu_bytes(changed, TINY, TRAINABLE) == weights + adapter + rest


def test_a_weight_has_the_bytes_of_its_number_format() -> None:
    for precision, size in (("bf16", 2), ("fp16", 2), ("fp32", 4), ("auto", 2)):
        assert weight_bytes(preset(model={"precision": precision})) == size
    assert weight_bytes(preset(hardware={"device": "cpu"}, model={"precision": "auto"})) == 4


def test_a_cpu_holds_no_cuda_context() -> None:
    assert estimated(hardware={"device": "cpu"}) == estimated() - CUDA


def test_four_bits_halve_a_byte_for_the_language_models_linear_layers() -> None:
    linear = 2 * (64 + 32 + 32 + 64 + 3 * 128)
    assert base_bytes(preset(model={"quantization": "nf4"}), TINY) == 2 * (PARAMETERS - linear) + round(0.516 * linear)


def test_offloaded_weights_stay_below_a_billion_on_the_gpu() -> None:
    offloaded = preset(hardware={"zero_stage": 3, "offload": "parameters"})
    assert base_bytes(offloaded, KNOWN["Qwen2.5-VL-7B"]) == 2_000_000_000


def test_activations_are_recomputed_from_85_percent_of_a_gpu_on() -> None:
    size = estimated(checkpointing=False)
    fits = round(size / 0.85) + 10
    assert not needs_checkpointing(preset(), TINY, TRAINABLE, fits)
    assert needs_checkpointing(preset(), TINY, TRAINABLE, fits - 20)
