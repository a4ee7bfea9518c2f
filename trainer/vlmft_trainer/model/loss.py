"""Loss: negative log-likelihood of the answers' tokens, summed, so that whoever adds up can weight by tokens."""

from __future__ import annotations

from collections.abc import Mapping
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

    The vocabulary is large and answers are short: logits are computed only at supervised positions, which for long
    images saves gigabytes.

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
    # A position's logits are about the token after it, so the last one's are never wanted. Of a single row the places
    # are known here; a mask would be counted on the GPU.
    keep = supervised[0].nonzero().T if len(supervised) == 1 else pad(supervised, (0, 1))
    keep, wanted = (one.to(batch["input_ids"].device, non_blocking=True) for one in (keep, targets[supervised]))
    logits = model(**model_inputs(model, batch), logits_to_keep=keep, use_cache=False).logits.float().flatten(0, -2)
    return logits, wanted, supervised.nonzero()[:, 0]


def supervised_tokens(batch: Mapping[str, Any]) -> int:
    """How many tokens of a batch carry loss."""
    return int((batch["labels"][:, 1:] != IGNORED).sum())
