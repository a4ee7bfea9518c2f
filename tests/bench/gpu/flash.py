"""Flash attention of padded batches by PyTorch's own kernel: what flash-attn does for transformers, without it."""

from __future__ import annotations

from typing import Any

import torch
from torch.nn.functional import pad
from transformers import AttentionInterface, AttentionMaskInterface
from transformers.masking_utils import flash_attention_mask

from vlmft_trainer.model.attention import text_attention, vision_attention

NAME = "padded_flash"
"""With "flash" in it, the vision tower hands over where images and windows begin."""


def use_padded_flash(model: Any) -> None:
    """Let a Qwen2.5-VL attend as transformers does with flash-attn: padding is cut out in every layer."""
    AttentionInterface.register(NAME, _attention)
    AttentionMaskInterface.register(NAME, flash_attention_mask)
    model.config.text_config._attn_implementation = NAME
    model.config.vision_config._attn_implementation = NAME


def _attention(
    module: Any,
    query: torch.Tensor,
    key: torch.Tensor,
    value: torch.Tensor,
    attention_mask: torch.Tensor | None,
    *,
    scaling: float,
    cu_seq_lens_q: torch.Tensor | None = None,
    max_length_q: Any = 0,
    **kwargs: Any,
) -> tuple[torch.Tensor, None]:
    """`[batch, heads, length, width]` in, `[batch, length, heads, width]` out; the mask is `[batch, length]`."""
    if cu_seq_lens_q is not None:
        borders = {"cu_seq_lens_q": cu_seq_lens_q, "max_length_q": int(max_length_q)}
        return vision_attention(module, query, key, value, None, scaling=scaling, **borders)
    batch, heads, length, width = query.shape
    mask = query.new_ones(batch, length, dtype=torch.long) if attention_mask is None else attention_mask
    lengths, there = mask.sum(1), mask.flatten().nonzero().squeeze(1)
    row = [tensor.transpose(1, 2).flatten(0, 1)[there].transpose(0, 1)[None] for tensor in (query, key, value)]
    begin, longest = pad(lengths.cumsum(0), (1, 0)).int(), int(lengths.max())
    attended, _ = text_attention(
        module,
        *row,
        None,
        scaling=scaling,
        cu_seq_lens_q=begin,
        cu_seq_lens_k=begin,
        max_length_q=longest,
        max_length_k=longest,
    )
    output = attended.new_zeros(batch * length, heads, width).index_copy(0, there, attended[0])
    return output.view(batch, length, heads, width), None
