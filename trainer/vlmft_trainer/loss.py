"""The loss: negative log-likelihood of the answers' tokens, summed, so that whoever adds up can weight by tokens."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

import torch
from torch.nn.functional import cross_entropy

from vlmft_trainer.data.encode import IGNORED


class AnswerLoss(NamedTuple):
    """Of one batch. `nll` is in nats and carries the gradient; `correct` counts tokens that the model ranks first."""

    nll: torch.Tensor
    correct: torch.Tensor


def answer_loss(model: Any, batch: Mapping[str, torch.Tensor]) -> AnswerLoss:
    """Sum of the loss over a batch's supervised tokens.

    The vocabulary is large and answers are short: logits are computed only at positions that some row is supervised
    at, which for long images saves gigabytes.

    Args:
        model: Qwen2.5-VL, bare or wrapped by PEFT or DeepSpeed.
        batch: as `collate` makes it.
    """
    targets = batch["labels"][:, 1:]
    columns = (targets != IGNORED).any(dim=0).nonzero().squeeze(1)
    inputs = {name: value for name, value in batch.items() if name != "labels"}
    logits = model(**inputs, logits_to_keep=columns, use_cache=False).logits.float()
    kept = targets[:, columns]
    nll = cross_entropy(logits.flatten(0, 1), kept.flatten(), ignore_index=IGNORED, reduction="sum")
    return AnswerLoss(nll, ((logits.argmax(-1) == kept) & (kept != IGNORED)).sum())


def supervised_tokens(batch: Mapping[str, torch.Tensor]) -> int:
    """How many tokens of a batch carry loss."""
    return int((batch["labels"][:, 1:] != IGNORED).sum())
