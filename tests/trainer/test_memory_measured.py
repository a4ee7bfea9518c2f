"""The plan's activations against those that the model's own step has, on tensors without memory.

Layers are alike, so that a few of them tell what all need.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from tests.trainer.meta_memory import ANSWER, Step, as_on_a_gpu
from vlmft_core.plan.activations import ALL, KEPT, Batch, activations, block_bytes, largest_batch
from vlmft_core.plan.architecture import KNOWN
from vlmft_core.preset import Lora, Preset

WITHIN = 0.15
BEST = Lora()
ULTIMATE = Lora(
    r=32, alpha=64, target_modules=["q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj"]
)
EVERY = {"kept": KEPT, "recomputed": ALL, "every 2nd": 2}


@pytest.fixture(autouse=True)
def _as_on_a_gpu(monkeypatch: pytest.MonkeyPatch) -> None:
    as_on_a_gpu(monkeypatch)


def preset(lora: Lora, **changes: dict[str, Any]) -> Preset:
    return Preset.model_validate({"lora": lora.model_dump(), **changes})


@pytest.mark.parametrize("every", EVERY.values(), ids=EVERY)
@pytest.mark.parametrize("lora", [BEST, ULTIMATE], ids=["best", "ultimate"])
@pytest.mark.parametrize("size", ["3B", "7B", "32B"])
def test_the_plan_is_what_a_step_of_the_real_sizes_needs(size: str, lora: Lora, every: int) -> None:
    base = KNOWN[f"Qwen2.5-VL-{size}"]
    batch = largest_batch(preset(lora), base)
    less, more = (Step(replace(base, layers=layers, vision_depth=2), lora).measure(batch, every) for layers in (4, 6))
    measured = less + (more + less.times(-1)).times((base.layers - 4) // 2)
    planned = activations(preset(lora), base, batch).peak(every)
    assert measured.kept < measured.peak
    assert planned == pytest.approx(measured.peak, rel=WITHIN)


@pytest.mark.parametrize(
    ("lora", "changes", "options"),
    [
        (Lora(dropout=0), {}, {}),
        (BEST, {"model": {"fused_kernels": False}}, {"fused": False}),
        (ULTIMATE, {"model": {"fused_kernels": False}}, {"fused": False}),
        (Lora(target_pattern=r".*layers\.([4-9]|1\d)\..*q_proj"), {}, {}),
        (Lora(dora=True), {}, {}),
    ],
    ids=["no dropout", "not fused", "ultimate not fused", "pattern", "dora"],
)
def test_the_plan_knows_adapter_dropout_and_kernels(
    lora: Lora, changes: dict[str, Any], options: dict[str, Any]
) -> None:
    base = replace(KNOWN["Qwen2.5-VL-7B"], layers=16, vision_depth=2)
    asked = preset(lora, **changes)
    batch = largest_batch(asked, base)
    measured = Step(base, lora, **options).measure(batch, KEPT)
    assert activations(asked, base, batch).peak(KEPT) == pytest.approx(measured.peak, rel=WITHIN)


def test_the_plan_knows_what_an_adapted_tower_keeps() -> None:
    lora = Lora(target_modules=["qkv", "proj", "gate_proj", "up_proj", "down_proj"], vision_tower=True)
    base = replace(KNOWN["Qwen2.5-VL-7B"], layers=1)
    batch = largest_batch(preset(lora), base)
    less, more = (Step(replace(base, vision_depth=depth), lora).measure(batch, KEPT) for depth in (2, 4))
    planned = block_bytes(preset(lora), base, batch, lora.target_modules)
    assert planned == pytest.approx((more.kept - less.kept) / 2, rel=WITHIN)


def test_a_shorter_micro_batch_needs_less_in_the_same_measure() -> None:
    base = replace(KNOWN["Qwen2.5-VL-3B"], layers=16, vision_depth=2)
    batch = Batch(samples=3, tokens=1500, longest=700, patches=4800)
    measured = Step(base, BEST).measure(batch, KEPT)
    assert activations(preset(BEST), base, batch).peak(KEPT) == pytest.approx(measured.peak, rel=WITHIN)
    assert measured.kept > ANSWER * batch.samples * base.vocab * 2
