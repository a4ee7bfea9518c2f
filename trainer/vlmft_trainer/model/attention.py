"""Attention of packed rows: each sample sees itself alone, and no score is computed to be masked out.

transformers' own way, a block-diagonal mask over the whole row, costs the square of the row's length. Here the row is
cut where the samples begin: by PyTorch's variable-length kernel on a GPU that has it, else by one call of
`scaled_dot_product_attention` for all pieces of one length. The vision tower's windows go the same way; transformers
would make a call for each of them. A sample that shares its beginning with another sees keys and values gathered from
there.
"""

from __future__ import annotations

import inspect
from functools import cache
from itertools import pairwise
from typing import Any, NamedTuple

import torch
from torch.nn.functional import scaled_dot_product_attention
from transformers import AttentionInterface, AttentionMaskInterface
from transformers.integrations.sdpa_attention import sdpa_attention_forward
from transformers.masking_utils import sdpa_mask

from vlmft_core.errors import first_line

TEXT = "vlmft_packed"
"""Name of the language model's attention."""

VISION = "vlmft_packed_flash"
"""Name of the vision tower's. Only to an implementation with "flash" in its name does the tower hand over where the
images and windows begin."""


def use_packed_attention(model: Any) -> None:
    """Let a Qwen2.5-VL take rows of several samples. Padded batches and generation go on working as with SDPA."""
    AttentionInterface.register(TEXT, text_attention)
    AttentionInterface.register(VISION, vision_attention)
    AttentionMaskInterface.register(TEXT, _mask)
    model.config.text_config._attn_implementation = TEXT
    model.config.vision_config._attn_implementation = VISION


def text_attention(
    module: Any,
    query: torch.Tensor,
    key: torch.Tensor,
    value: torch.Tensor,
    attention_mask: torch.Tensor | None,
    *,
    scaling: float | None = None,
    position_ids: torch.Tensor | None = None,
    cu_seq_lens_q: torch.Tensor | None = None,
    cu_seq_lens_k: torch.Tensor | None = None,
    max_length_q: int = 0,
    max_length_k: int = 0,
    kv_indices: torch.Tensor | None = None,
    **kwargs: Any,
) -> tuple[torch.Tensor, None]:
    """Causal attention as transformers calls it: `[batch, heads, length, width]` in, `[batch, length, heads, width]`
    out.

    Args:
        position_ids: each token's place in its sample, where transformers knows it.
        cu_seq_lens_q: int32 `[samples + 1]`: where the samples of a packed row begin, and its length; this and the rest
            as `pack` makes it.

    Raises:
        RuntimeError: a packed row without `cu_seq_lens_q`: its samples would see each other.
    """
    if cu_seq_lens_q is not None:
        assert cu_seq_lens_k is not None
        if kv_indices is not None:
            key, value = (tensor.index_select(2, kv_indices) for tensor in (key, value))
        borders = Borders(cu_seq_lens_q, cu_seq_lens_k, max_length_q, max_length_k)
        return varlen_attention(query, key, value, borders, causal=True, scale=scaling), None
    # Once a forward, for to read a value is to wait for the GPU; a single query is a token that is being generated.
    looks = module.layer_idx == 0 and query.shape[2] > 1
    if looks and attention_mask is None and position_ids is not None and bool((position_ids.diff() < 0).any()):
        raise RuntimeError("a packed row needs cu_seq_lens_q")
    output, _ = sdpa_attention_forward(module, query, key, value, attention_mask, scaling=scaling, **kwargs)
    return output, None


def vision_attention(
    module: Any,
    query: torch.Tensor,
    key: torch.Tensor,
    value: torch.Tensor,
    attention_mask: None,
    *,
    scaling: float,
    cu_seq_lens_q: torch.Tensor,
    max_length_q: int,
    **kwargs: Any,
) -> tuple[torch.Tensor, None]:
    """Attention within each image or window: `[1, heads, patches, width]` in, `[1, patches, heads, width]` out."""
    borders = Borders(cu_seq_lens_q, cu_seq_lens_q, max_length_q, max_length_q)
    return varlen_attention(query, key, value, borders, causal=False, scale=scaling), None


class Borders(NamedTuple):
    """Pieces of a row of queries, and those of keys that they see.

    Attributes:
        queries: int32 `[pieces + 1]`: where the pieces begin, and the row's length.
        keys: the same of keys and values. A causal piece with more keys than queries goes on behind them: its last
            query sees all.
        longest_queries: length of the longest piece.
        longest_keys: the same of keys.
    """

    queries: torch.Tensor
    keys: torch.Tensor
    longest_queries: int
    longest_keys: int


def varlen_attention(
    query: torch.Tensor,
    key: torch.Tensor,
    value: torch.Tensor,
    borders: Borders,
    *,
    causal: bool,
    scale: float | None,
) -> torch.Tensor:
    """Attention within each piece of a row.

    Args:
        query: `[1, heads, length, width]`; key and value the same with a length of their own, or with fewer heads.

    Returns:
        `[1, length, heads, width]`, contiguous.
    """
    if query.is_cuda and query.dtype != torch.float32 and varlen_problem() == "":
        return _by_kernel(query, key, value, borders, causal=causal, scale=scale, grouped=_takes_groups())
    return _by_length(query, key, value, borders, causal=causal, scale=scale)


def _by_kernel(
    query: torch.Tensor,
    key: torch.Tensor,
    value: torch.Tensor,
    borders: Borders,
    *,
    causal: bool,
    scale: float | None,
    grouped: bool = True,
) -> torch.Tensor:
    """All pieces at once, in PyTorch's variable-length kernel.

    Args:
        grouped: whether it takes keys of fewer heads; else they are repeated for it.
    """
    q, k, v = (tensor.squeeze(0).transpose(0, 1) for tensor in (query, key, value))
    each = q.shape[1] // k.shape[1]
    if each > 1 and not grouped:
        k, v = (tensor.repeat_interleave(each, dim=1) for tensor in (k, v))
        each = 1
    varlen = _varlen()
    asked = {"enable_gqa": each > 1} if _asks_for_groups(varlen) else {}
    window = (-1, 0 if causal else -1)
    output: torch.Tensor = varlen(q, k, v, *borders, scale=scale, window_size=window, **asked)
    return output.unsqueeze(0)


def _by_length(
    query: torch.Tensor,
    key: torch.Tensor,
    value: torch.Tensor,
    borders: Borders,
    *,
    causal: bool,
    scale: float | None,
) -> torch.Tensor:
    """One call for all pieces that have as many queries and as many keys."""
    ends = pairwise(borders.queries.tolist()), pairwise(borders.keys.tolist())
    pieces: dict[tuple[int, int], list[tuple[int, int]]] = {}
    for (start, end), (first, last) in zip(*ends, strict=True):
        pieces.setdefault((end - start, last - first), []).append((start, first))
    query, key, value = (tensor.squeeze(0) for tensor in (query, key, value))
    order = None
    if len(pieces) < len(borders.queries) - 1:  # some have the same lengths: bring those together
        order, keys = (
            torch.cat(
                [
                    (torch.tensor([begin[side] for begin in begins])[:, None] + torch.arange(lengths[side])).flatten()
                    for lengths, begins in pieces.items()
                ]
            ).to(query.device)
            for side in (0, 1)
        )
        query = query.index_select(1, order)
        key, value = (tensor.index_select(1, keys) for tensor in (key, value))
    if key.shape[0] != query.shape[0]:  # faster than `enable_gqa` where there is no kernel for it
        repeats = query.shape[0] // key.shape[0]
        key, value = (tensor[:, None].expand(-1, repeats, -1, -1).flatten(0, 1) for tensor in (key, value))
    # Split, not sliced: a slice's gradient is as long as the row, and all but the slice is zeros.
    sizes = [[lengths[side] * len(begins) for lengths, begins in pieces.items()] for side in (0, 1)]
    parts = zip(
        *(torch.split(tensor, sizes[side], 1) for tensor, side in ((query, 0), (key, 1), (value, 1))), strict=True
    )
    outputs = []
    for ((queries, keys_each), begins), part in zip(pieces.items(), parts, strict=True):
        # [heads, pieces x length, width] -> [pieces, heads, length, width]
        q, k, v = (tensor.unflatten(1, (len(begins), -1)).transpose(0, 1) for tensor in part)
        mask = None
        if causal and queries != keys_each:
            mask = torch.ones(queries, keys_each, dtype=torch.bool, device=q.device).tril(keys_each - queries)
        attended = scaled_dot_product_attention(q, k, v, attn_mask=mask, is_causal=causal and mask is None, scale=scale)
        outputs.append(attended.transpose(1, 2).flatten(0, 1))
    output = torch.cat(outputs)
    if order is not None:
        output = output.index_select(0, torch.argsort(order))
    return output.unsqueeze(0)


def _mask(
    *,
    attention_mask: torch.Tensor | None,
    q_length: int,
    kv_length: int,
    allow_is_causal_skip: bool = True,
    **kwargs: Any,
) -> Any:
    """The mask of a padded batch; none for a packed row, whose `cu_seq_lens_q` keeps its samples apart.

    A packed row is the one whole sequence without padding that transformers does not allow to go without a mask.
    """
    if attention_mask is None and q_length == kv_length and not allow_is_causal_skip:
        return None
    # Several rows of one length, without padding, could do without a mask. To find that out, all is waited for.
    alone = attention_mask is None or len(attention_mask) == 1
    return sdpa_mask(
        attention_mask=attention_mask,
        q_length=q_length,
        kv_length=kv_length,
        allow_is_causal_skip=allow_is_causal_skip and alone,
        **kwargs,
    )


@cache
def _varlen() -> Any:
    """PyTorch's variable-length attention; None where this PyTorch has none, or an early form of it."""
    try:
        from torch.nn.attention.varlen import varlen_attn
    except ImportError:
        return None
    return varlen_attn if "window_size" in inspect.signature(varlen_attn).parameters else None


@cache
def _asks_for_groups(varlen: Any) -> bool:
    """Whether it has to be told where keys have fewer heads than queries. PyTorch 2.11 knows no such option, though its
    kernel is the same."""
    return "enable_gqa" in inspect.signature(varlen).parameters


@cache
def _takes_groups() -> bool:
    """Whether the kernel here takes keys of fewer heads than queries."""
    return _try_out(width=128, causal=True, grouped=True) == ""


@cache
def varlen_problem() -> str:
    """Why PyTorch's variable-length attention cannot be used here; empty if it can. It is tried out on small
    pieces, with their gradients: no figure of a training would show that it is wrong."""
    if not torch.cuda.is_available():
        return "no GPU"
    if _varlen() is None:
        return f"PyTorch {torch.__version__} has none that fits"
    if torch.cuda.get_device_capability() < (8, 0):
        return "the GPU is older than Ampere"
    grouped = _takes_groups()
    return _try_out(width=128, causal=True, grouped=grouped) or _try_out(width=80, causal=False, grouped=grouped)


@torch.enable_grad()  # it may first be asked for in the middle of an eval
def _try_out(width: int, *, causal: bool, grouped: bool) -> str:
    """What is wrong with the kernel for heads of one width: those of the language model and of the tower."""
    queries, keys = (torch.tensor(ends, dtype=torch.int32, device="cuda") for ends in ([0, 5, 16, 19], [0, 5, 16, 28]))
    borders = Borders(queries, keys, 11, 12)  # the last piece goes on behind nine tokens
    made = torch.Generator("cuda").manual_seed(0)
    query, key, value = (
        torch.randn(1, heads, length, width, device="cuda", generator=made).bfloat16().requires_grad_()
        for heads, length in ((4, 19), (2, 28), (2, 28))
    )
    try:
        output = _by_kernel(query, key, value, borders, causal=causal, scale=None, grouped=grouped)
        gradients = torch.autograd.grad(output.float().sum(), [query, key, value])
    except (RuntimeError, TypeError, ValueError, NotImplementedError) as error:
        return first_line(error)
    expected = _by_length(query, key, value, borders, causal=causal, scale=None)
    wanted = torch.autograd.grad(expected.float().sum(), [query, key, value])
    pairs = zip((output, *gradients), (expected, *wanted), strict=True)
    if not all(torch.allclose(one, other, atol=3e-2, rtol=3e-2) for one, other in pairs):
        return "it gives other results than SDPA"
    return ""
