"""Soundness of a loaded base: everything was there, and its numbers are such as a model can have."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Collection, Mapping
from typing import Any, Final

import torch

from vlmft_core.errors import ModelError, first_line
from vlmft_core.figures import counted
from vlmft_core.plan.weight_file import first_names
from vlmft_trainer.distributed import ranks

_LAST_OF_A_BRANCH: Final = re.compile(r"\.(o_proj|down_proj|attn\.proj)\.weight$")
"""Matrices that are zeros where a layer was added that changes nothing yet (block expansion, as in LLaMA-Pro)."""


def refuse_losses(base: str, info: Mapping[str, Any]) -> None:
    """Refuse a base of which transformers could not use everything, or that lacked something and got random numbers.

    Args:
        info: what `from_pretrained` says with `output_loading_info`.

    Raises:
        ModelError: the message has the count and the first names of each kind.
    """
    mismatched = [entry[0] for entry in info["mismatched_keys"]]
    kinds = {
        "missing": info["missing_keys"],
        "of another shape": mismatched,
        "without a place": info["unexpected_keys"],
    }
    losses = [*_told(kinds), *(first_line(RuntimeError(text)) for text in info["error_msgs"])]
    if losses:
        raise ModelError(f"base model {base}: {'; '.join(losses)}", "copy or download the model again")


def _told(kinds: Mapping[str, Collection[str]]) -> list[str]:
    """How many tensors are of each kind, and the first names."""
    return [f"{counted(len(names), 'tensor')} {kind}: {first_names(names)}" for kind, names in kinds.items() if names]


def refuse_numbers(base: str, model: Any, note: Callable[[str], object]) -> None:
    """Refuse a base with numbers that are not finite, which would show at the first step at the earliest, and one with
    matrices of zeros alone, as an interrupted download leaves them in a file of the right size.

    Matrices in 4 bits are passed over: what was not finite shows no more. So are zeros under ZeRO-3, where a rank has
    but a part of each matrix.

    Args:
        note: takes what a person should know: zeros in layers that may have been added.

    Raises:
        ModelError: the message has the count and the first names.
    """
    wild: list[str] = []
    empty: list[str] = []
    added: list[str] = []
    for name, weight in model.named_parameters():
        part, sharded = weight, hasattr(weight, "ds_tensor")
        if sharded:  # ZeRO-3: this rank's part, rounded up at the end by memory that nobody has written
            part = weight.ds_tensor.flatten()
            part = part[: max(0, weight.ds_numel - ranks.rank() * part.numel())]
        if not part.is_floating_point() or not part.numel():
            continue
        least, most = (end.item() for end in part.detach().aminmax())
        if not math.isfinite(least) or not math.isfinite(most):
            wild.append(name)
        elif least == most == 0 and len(weight.shape) > 1 and not sharded:
            (added if _LAST_OF_A_BRANCH.search(name) else empty).append(name)
    kinds = {"with numbers that are not finite (NaN or infinite)": wild, "of zeros alone": empty}
    if faults := _told(kinds):
        raise ModelError(f"base model {base}: {'; '.join(faults)}", "copy or download the model again")
    if added:
        what = f"{counted(len(added), 'matrix', 'matrices')} of zeros alone: {first_names(added)}"
        note(f"base model {base}: {what}; right only where their layers were added to be trained")


def refuse_rounded_rope(model: Any) -> None:
    """Refuse a model whose frequencies of positions (RoPE) are not in fp32: rounded to bf16, places far into a sample
    are off by whole tokens, and no figure of a training shows it.

    Raises:
        ModelError: they are not; older releases of DeepSpeed cast all of a model, not the weights alone.
    """
    for name, buffer in model.named_buffers():
        if name.endswith("inv_freq") and buffer.dtype != torch.float32:
            kind = str(buffer.dtype).removeprefix("torch.")
            raise ModelError(f"{name} is in {kind}: positions would be rounded", "pip install -U deepspeed")
