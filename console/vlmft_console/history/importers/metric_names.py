"""Metric names: what each trainer calls the quantities that a run is judged by, in one table for all formats.

A name is compared in lower case, with every run of other characters than letters and digits as one `_`: `val/loss`,
`Validation Loss` and `val_loss` are one name.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from functools import lru_cache
from typing import Final, NamedTuple

LOSS: Final = "loss"
EVAL_LOSS: Final = "eval_loss"
RATE: Final = "lr"
GRAD_NORM: Final = "grad_norm"
STEP: Final = "step"
TOTAL: Final = "total_steps"
EPOCH: Final = "epoch"

_ALIASES: Final = {
    LOSS: ("loss", "train_loss", "training_loss", "train_loss_step", "lm_loss", "reduced_train_loss", "loss_train"),
    RATE: ("learning_rate", "lr", "train_learning_rate", "train_lr", "actor_lr"),
    GRAD_NORM: ("grad_norm", "train_grad_norm", "gradient_norm", "gnorm", "actor_grad_norm"),
    STEP: (
        "step",
        "global_step",
        "current_steps",
        "global_step_max_steps",
        "steps_global_step_max_steps",
        "iteration",
        "iter",
        "train_global_step",
        "training_global_step",
        "trainer_global_step",
    ),
    TOTAL: ("total_steps", "max_steps"),
    EPOCH: ("epoch", "train_epoch"),
}
"""Of each quantity its names; where an entry has several, the first counts."""

_OTHER = re.compile(r"[^a-z0-9]+")
_EVAL = re.compile(r"(?:eval|val|valid|validation)_(?:(.+)_)?loss(?:_epoch)?|loss_(?:eval|val|valid|validation)")
_LONGEST: Final = 200


class Known(NamedTuple):
    """What a name stands for."""

    quantity: str
    """`LOSS`, `EVAL_LOSS`, …"""
    rank: int
    """Of several names of one quantity in an entry the one with the lowest counts."""
    eval_set: str = ""
    """The set that an eval loss was measured on, where its name tells: `chartqa` of `eval_chartqa_loss`."""


_TABLE: Final = {name: Known(quantity, rank) for quantity, names in _ALIASES.items() for rank, name in enumerate(names)}


@lru_cache(maxsize=4096)
def known(name: str) -> Known | None:
    """What a metric's name stands for; None for a metric that nobody here judges by."""
    plain = _OTHER.sub("_", name[:_LONGEST].lower()).strip("_")
    if found := _EVAL.fullmatch(plain):
        return Known(EVAL_LOSS, 0, found[1] or "")
    return _TABLE.get(plain)


def tells_training(names: Iterable[str]) -> bool:
    """Whether one of the names is a loss: an entry with these names is a record of a training."""
    return any((found := known(name)) is not None and found.quantity in (LOSS, EVAL_LOSS) for name in names)
