"""A small trained adapter and jobs about it, for the programs that use one."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch

from vlmft_core.plan.architecture import DEMO_BASE
from vlmft_core.preset import Data, Evaluation, Hardware, Lora, Model, Preset, Source
from vlmft_trainer.model.adapter import add_adapter, save_adapter
from vlmft_trainer.model.load import Kernels, load_base

KERNELS = Kernels("fp32", "sdpa", ())
LORA = Lora(r=4, alpha=64, dropout=0)


def preset(sources: list[Source]) -> Preset:
    """The demo's base on a CPU, asked about `sources`."""
    return Preset(
        model=Model(base="demo", precision="fp32"),
        lora=LORA,
        data=Data(sources=sources, max_eval=20, max_pixels=200704),
        evaluation=Evaluation(answers=5, micro_batch=2, max_new_tokens=4),
        hardware=Hardware(device="cpu", gpus=1),
    )


def write_tuned(folder: Path) -> Any:
    """An adapter that changes the base's answers, written to `folder`.

    Returns:
        The model with it.
    """
    model = add_adapter(load_base(str(DEMO_BASE), KERNELS), LORA, seed=0)
    random = torch.Generator().manual_seed(3)
    with torch.no_grad():
        for name, weight in model.named_parameters():
            if "lora_B" in name:
                weight.copy_(0.05 * torch.randn(weight.shape, generator=random))
    save_adapter(model, folder)
    return model.eval()


class Said:
    """What a program said."""

    def __init__(self) -> None:
        self.all: list[tuple[str, Any]] = []

    def __call__(self, name: str, value: Any) -> None:
        self.all.append((name, value))

    def last(self, name: str) -> Any:
        return [value for said, value in self.all if said == name][-1]
