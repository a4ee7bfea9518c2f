"""Loss: negative log-likelihood of the answers' tokens, summed, so that whoever adds up can weight by tokens."""

from __future__ import annotations

from collections.abc import Mapping
from types import MethodType
from typing import Any, NamedTuple

import torch
from torch.nn.functional import cross_entropy, pad

from vlmft_trainer.data.encode import IGNORED
from vlmft_trainer.model.inputs import model_inputs


class AnswerLoss(NamedTuple):
    """Of one batch. `nll` is in nats and carries the gradient; `correct` counts tokens that the model ranks first."""

    nll: torch.Tensor
    correct: torch.Tensor


def answer_loss(model: Any, batch: Mapping[str, Any]) -> AnswerLoss:
    """Sum of the loss over a batch's supervised tokens.

    The vocabulary is large and answers are short: logits, and the last layer's MLP, are computed only at supervised
    positions, which for long images saves gigabytes.

    Args:
        model: Qwen2.5-VL, bare or wrapped by PEFT or DeepSpeed.
        batch: as `collate` or `pack` makes it, on the model's device but for its labels (see `on_device`).
    """
    logits, wanted, _ = _supervised(model, batch)
    return AnswerLoss(cross_entropy(logits, wanted, reduction="sum"), (logits.argmax(-1) == wanted).sum())


def row_losses(model: Any, batch: Mapping[str, Any]) -> torch.Tensor:
    """The same for each row of a padded batch: fp32 `[rows]`, nats."""
    logits, wanted, rows = _supervised(model, batch)
    losses = cross_entropy(logits, wanted, reduction="none")
    return torch.zeros(len(batch["labels"]), device=losses.device).index_add(0, rows.to(losses.device), losses)


def _supervised(model: Any, batch: Mapping[str, Any]) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Logits (fp32 `[tokens, vocabulary]`) of what is supervised, the token that each should give, and its row."""
    targets = batch["labels"][:, 1:]
    supervised = targets != IGNORED
    # A position's logits are about the token after it, so a row's last one's are never wanted. The places are counted
    # here: to count them on a GPU is to wait for it.
    keep = pad(supervised, (0, 1)).flatten().nonzero()[:, 0]
    keep, wanted = (one.to(batch["input_ids"].device, non_blocking=True) for one in (keep, targets[supervised]))
    last = getattr(model, "module", model).get_decoder().layers[-1]
    last.forward = MethodType(_last_layer, last)
    logits = model(**model_inputs(model, batch), supervised=keep, use_cache=False).logits.float().squeeze(0)
    return logits, wanted, supervised.nonzero()[:, 0]


def _last_layer(self: Any, hidden_states: Any, *, supervised: torch.Tensor | None = None, **kwargs: Any) -> Any:
    """In place of the last `Qwen2_5_VLDecoderLayer`'s: behind its attention nobody looks at a token without loss.

    It is never recomputed: without its MLP it keeps little.

    Args:
        supervised: int64 `[tokens]`: the positions to go on with, counted through all rows; None for all.

    Returns:
        `[1, tokens, width]`; without `supervised` as transformers' own.
    """
    if supervised is None:
        return type(self).forward(self, hidden_states, **kwargs)
    attended, _ = self.self_attn(hidden_states=self.input_layernorm(hidden_states), **kwargs)
    hidden_states = hidden_states + attended
    hidden_states = hidden_states.flatten(0, 1).index_select(0, supervised)[None]
    return hidden_states + self.mlp(self.post_attention_layernorm(hidden_states))


def supervised_tokens(batch: Mapping[str, Any]) -> int:
    """How many tokens of a batch carry loss."""
    return int((batch["labels"][:, 1:] != IGNORED).sum())
