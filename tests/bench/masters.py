"""Adapters in the base's bf16 with fp32 masters against adapters in fp32: loss curves under ZeRO-3, and under ZeRO-2.

    python -m tests.bench.masters

DeepSpeed itself, one rank on a CPU, the demo base in bf16: a minute of processor time.
"""

from __future__ import annotations

import os
from typing import Any

os.environ |= {"DS_ACCELERATOR": "cpu", "CUDA_VISIBLE_DEVICES": ""}  # before deepspeed is imported

import deepspeed
import torch
from PIL import Image
from transformers.integrations import HfDeepSpeedConfig

from vlmft_core.plan.architecture import DEMO_BASE
from vlmft_core.preset import Lora, Preset
from vlmft_trainer.data.packing import pack_collator
from vlmft_trainer.distributed.process_group import process_group
from vlmft_trainer.model.adapter import add_adapter
from vlmft_trainer.model.fused import use_fused_kernels
from vlmft_trainer.model.load import Kernels, load_base, load_encoder, prepare_training
from vlmft_trainer.model.loss import answer_loss
from vlmft_trainer.training.deepspeed_config import deepspeed_config

STEPS = 14
LORA = Lora(r=4, alpha=8, dropout=0, target_modules=["q_proj", "v_proj", "o_proj", "down_proj"])


def curve(batches: list[dict[str, Any]], stage: int, *, wide: bool = False, fused: bool = False) -> list[float]:
    """Training losses, and what they were trained with.

    Args:
        wide: whether the adapter is in fp32.
    """
    settings = {"training": {"effective_batch": 8, "micro_batch": 8}}
    preset = Preset.model_validate(settings | {"hardware": {"device": "cpu", "gpus": 1, "zero_stage": stage}})
    config = deepspeed_config(preset, "bf16", False, 100_000)
    held = HfDeepSpeedConfig(config) if stage == 3 else None  # while it lives, the base is loaded sharded
    model = add_adapter(load_base(str(DEMO_BASE), Kernels("bf16", "sdpa", ())), LORA, 1)
    del held
    trained = [weight for weight in model.parameters() if weight.requires_grad]
    for weight in trained if wide else ():
        weight.data = weight.data.float()
    if fused:
        use_fused_kernels(model)
    prepare_training(model, gradient_checkpointing=False, train_vision=False)
    engine, *_ = deepspeed.initialize(model=model, optimizer=torch.optim.AdamW(trained, lr=5e-3), config=config)
    engine.train()
    losses = []
    for step in range(STEPS):
        loss = answer_loss(engine, batches[step % len(batches)]).nll / 40
        engine.backward(loss)
        engine.step()
        losses.append(float(loss.detach()))
    return losses


def main() -> None:
    with process_group():
        encoder = load_encoder(str(DEMO_BASE), 200704)
        picture = Image.linear_gradient("L").convert("RGB")
        samples = [
            encoder.sample(f"what is {number}", str(number * 7 % 10), picture.resize((60 + 20 * (number % 4), 56)))
            for number in range(8)
        ]
        batches = [pack_collator(encoder)(samples[start : start + 4]) for start in (0, 4)]
        wide = curve(batches, 3, wide=True)
        curves = {
            "ZeRO-3, adapter in fp32": wide,
            "ZeRO-3, adapter in bf16": curve(batches, 3),
            "ZeRO-2, adapter in bf16": curve(batches, 2),
            "ZeRO-3, adapter in bf16, fused kernels": curve(batches, 3, fused=True),
        }
        for name, losses in curves.items():
            most = max(abs(one - other) / other for one, other in zip(losses, wide, strict=True))
            print(f"{name:<40}{losses[0]:.4f} to {losses[-1]:.4f}; differs by {most:.1%} at most")


if __name__ == "__main__":
    main()
