"""Agreement: loss and gradients on this GPU against a CPU's, in the real sizes' widths and a few layers."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import torch

from tests.bench import charts_like
from tests.bench.rivals import fuse
from vlmft_core.plan.architecture import KNOWN
from vlmft_core.preset import Lora
from vlmft_trainer.data.packing import pack
from vlmft_trainer.model.adapter import add_adapter
from vlmft_trainer.model.attention import use_packed_attention
from vlmft_trainer.model.inputs import on_device
from vlmft_trainer.model.load import prepare_training
from vlmft_trainer.model.loss import answer_loss

SHALLOW = replace(KNOWN["Qwen2.5-VL-7B"], layers=1, vision_depth=2, vision_full_blocks=1, vocab=4096)
"""The 7B's widths, so that the same kernels run, in little time on a CPU."""


def compare(kind: str, size: str) -> dict[str, Any]:
    """One micro-batch here and on a CPU.

    Args:
        kind: one of `ways.AGREEMENTS`.

    Returns:
        `loss`; `loss_differs` and `gradient_differs` from a CPU's in the same number format, as shares; `rounding`: how
        far the CPU's gradient is from its own in fp32, which is what a difference can be measured by.
    """
    charts_like.SIZES.setdefault("shallow", SHALLOW)
    dtype, shared = torch.bfloat16 if kind.startswith("bf16") else torch.float32, "shared" in kind
    exact = _step("cpu", torch.float32, size, shared=shared)
    there = exact if dtype == torch.float32 else _step("cpu", dtype, size, shared=shared)
    here = _step("cuda" if torch.cuda.is_available() else "cpu", dtype, size, shared=shared)
    return {
        "loss": here[0],
        "loss_differs": abs(here[0] - there[0]) / there[0],
        "gradient_differs": _differs(here[1], there[1]),
        "rounding": _differs(there[1], exact[1]),
    }


def _differs(one: torch.Tensor, other: torch.Tensor) -> float:
    return float((one - other).norm() / other.norm())


def _step(device: str, dtype: torch.dtype, size: str, *, shared: bool) -> tuple[float, torch.Tensor]:
    """Mean loss, and all gradients in fp32 on the CPU. The weights are rounded from the same fp32 ones."""
    model = add_adapter(charts_like.build(size), Lora(dropout=0), seed=1)
    torch.manual_seed(2)
    for name, weight in model.named_parameters():
        if "lora_B" in name:
            torch.nn.init.normal_(weight, std=0.02)
        weight.data = weight.data.to(device, dtype)
    model.to(device)  # what is no weight: RoPE's frequencies stay in fp32
    use_packed_attention(model.get_base_model())
    prepare_training(model, gradient_checkpointing=False, train_vision=False)
    if device == "cuda":
        fuse(model)
    data = charts_like.samples(4, size, scale=0.3, asked=True)
    batch = on_device(pack(data, image_id=charts_like.IMAGE, merge=2, share=shared), torch.device(device))
    loss = answer_loss(model.train(), batch).nll / (4 * len(data))
    loss.backward()
    gradients = [weight.grad.flatten().float().cpu() for weight in model.parameters() if weight.grad is not None]
    return float(loss.detach()), torch.cat(gradients)
