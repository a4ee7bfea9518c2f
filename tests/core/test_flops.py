"""Counted operations, worked out by hand for a base of a few weights."""

from __future__ import annotations

from dataclasses import replace

import pytest

from vlmft_core.plan.architecture import Architecture
from vlmft_core.plan.flops import Work, forward_flops, training_flops
from vlmft_core.preset import Lora

TINY = Architecture(
    hidden=8,
    layers=2,
    heads=2,
    kv_heads=1,
    intermediate=16,
    vocab=32,
    vision_depth=3,
    vision_hidden=4,
    vision_intermediate=6,
    vision_full_blocks=1,
    vision_window=2,
    patch_inputs=5,
    merge=4,
)
WORK = Work(tokens=10, token_squares=60, supervised=3, patches=8, patch_squares=40)


def test_a_forward_counts_every_matrix_once() -> None:
    linears = 10 * 2 * (64 + 32 + 32 + 64) + (10 + 3) * 3 * 128  # q, k, v, o; the MLP, of the last layer for 3 tokens
    tower = 3 * (48 + 16 + 3 * 24) + 20 + (256 + 128) // 4  # blocks, patches, and the merger once for four patches
    assert forward_flops(TINY, WORK) == {
        "text": 2 * linears + 2 * 60 * 2 * 8,
        "head": 2 * 3 * 32 * 8,
        "vision": 2 * 8 * tower + 4 * 4 * (40 * 1 + 8 * 2 * 2),
    }


def test_a_tower_with_fewer_blocks_than_see_the_whole_image_has_no_windows() -> None:
    shallow = replace(TINY, vision_depth=1, vision_full_blocks=4)
    tower = (48 + 16 + 3 * 24) + 20 + 96
    assert forward_flops(shallow, WORK)["vision"] == 2 * 8 * tower + 4 * 4 * 40


def test_a_training_adds_the_backward_of_what_is_trained_through() -> None:
    forward = forward_flops(TINY, WORK)
    attention = 2 * 60 * 2 * 8
    through = 2 * (forward["text"] + forward["head"]) + attention
    frozen = training_flops(TINY, Lora(r=1, alpha=1, target_modules=["q_proj"]), WORK)
    assert frozen == through + 6 * 10 * (2 * 16) + forward["vision"]
    both = training_flops(TINY, Lora(r=1, alpha=1, target_modules=["gate_proj"], vision_tower=True), WORK)
    scores = 4 * 4 * (40 * 1 + 8 * 2 * 2)
    assert both == through + 6 * 10 * (2 * 24) + 2 * forward["vision"] + scores + 6 * 8 * (3 * 10)


@pytest.mark.parametrize(
    ("part", "tower", "more"),
    [("lm_head", False, 2 * 3 * 32 * 8), ("merger", False, 2 * 2 * 8 * 96), ("merger", True, 2 * 8 * 96)],
)
def test_a_part_that_is_trained_whole_needs_gradients_of_its_weights(part: str, tower: bool, more: float) -> None:
    lora = Lora(r=1, alpha=1, target_modules=["gate_proj"], vision_tower=tower)
    whole = Lora.model_validate({**lora.model_dump(), "modules_to_save": [part]})
    assert training_flops(TINY, whole, WORK) == training_flops(TINY, lora, WORK) + more


def test_work_adds_up_by_field() -> None:
    assert Work() == Work(0, 0, 0, 0, 0)
    assert Work(1, 2, 3, 4, 5) + Work(10, 20, 30, 40, 50) == Work(11, 22, 33, 44, 55)
