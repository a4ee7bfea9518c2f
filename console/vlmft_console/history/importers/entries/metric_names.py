"""Metric names: what each trainer calls the quantities that a run is judged by, in one table for all formats.

A name is compared in lower case, with every run of other characters than letters and digits as one `_`: `val/loss`,
`Validation Loss` and `val_loss` are one name.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from functools import lru_cache
from typing import Final, NamedTuple

from vlmft_console.history.importers.entries.languages import in_english

LOSS: Final = "loss"
EVAL_LOSS: Final = "eval_loss"
RATE: Final = "lr"
GRAD_NORM: Final = "grad_norm"
STEP: Final = "step"
TOTAL: Final = "total_steps"
EPOCH: Final = "epoch"

_ALIASES: Final = {
    LOSS: (
        *("loss", "train_loss", "training_loss", "loss_train", "tr_loss"),
        *("train_loss_step", "training_loss_step", "loss_step", "train_step_loss"),
        *("lm_loss", "train_lm_loss", "reduced_train_loss", "loss_metrics_global_avg_loss", "global_avg_loss"),
        *("total_loss", "train_total_loss"),
        *("ce_loss", "train_ce_loss", "nll_loss", "train_nll_loss", "train_crossentropyloss", "cross_entropy_loss"),
        *("cross_ent_loss", "cross_entropy", "crossentropy", "train_cross_entropy", "train_xent", "train_cost"),
        *(
            "trn_loss",
            "train_loss_avg",
            "train_loss_mean",
            "train_running_loss",
            "reduced_loss",
            "minibatch_loss",
            "mini_batch_loss",
        ),
        *("sft_loss", "pretrain_loss", "finetune_loss", "clm_loss", "causal_lm_loss"),
        *("train_nll", "train_ce"),
        *("avg_loss", "average_loss", "mean_loss", "train_avg_loss", "train_mean_loss", "xent"),
        *("train_batch_loss", "step_loss", "running_loss", "avr_loss", "loss_avg"),
        *("gpt_loss", "loss_mean", "avg_train_loss", "average_train_loss", "mean_train_loss", "avg_training_loss"),
        *(
            "average_training_loss",
            "losses",
            "losses_total_loss",
            "losses_train",
            "loss_total_loss",
            "train_losses",
            "training_losses",
            "loss_train_total",
        ),
        *("train_loss_train_total", "train_loss_epoch", "training_loss_epoch", "loss_epoch", "train_epoch_loss"),
        "avg_epoch_loss",
        *("main_loss", "model_loss", "loss_out", "embedding_loss", "mlm_loss", "loss_train_epoch"),
        "metrics_train_languagecrossentropy",
        *("actor_pg_loss", "pg_loss", "actor_policy_loss", "policy_loss", "actor_loss"),
    ),
    RATE: (
        *("learning_rate", "lr", "train_learning_rate", "train_lr", "current_lr", "learningrate", "base_lr"),
        *("lr_train", "learning_rate_train", "base_learning_rate"),
        *(
            "optim_learning_rate",
            "optim_lr",
            "epoch_learning_rate",
            "epoch_lr",
            "optimizer_lr",
            "optim_learning_rate_group0",
            "actor_lr",
            "l_r",
            *("cur_lr", "last_lr", "scheduler_lr", "lr_scheduler_lr", "lr0", "optim0_lr0"),
        ),
    ),
    GRAD_NORM: (
        *("grad_norm", "train_grad_norm", "gradient_norm", "train_gradient_norm", "gnorm", "train_gnorm", "gradnorm"),
        *("global_grad_norm", "train_global_grad_norm", "total_grad_norm", "optim_total_grad_norm"),
        *("grad_norm_total", "grad_2_0_norm_total", "grad_2_norm_total", "optim_grad_norm", "actor_grad_norm"),
        *("avg_grad_norm", "mean_grad_norm", "policy_grad_norm", "total_norm", "grad_global_norm", "grad_norm_avg"),
        *("grad_norm_mean", "grad_l2", "grads_norm", "train_gradnorm", "grad_norm_train"),
    ),
    STEP: (
        *("step", "global_step", "current_steps", "global_step_max_steps", "steps_global_step_max_steps"),
        *("iteration", "iter", "train_global_step", "training_global_step", "trainer_global_step", "train_step"),
        *("training_step", "steps", "global_steps", "iterations", "iter_num", "num_updates", "current_step"),
        *("current_iteration", "optimizer_step", "trainer_step", "step_num", "step_idx", "global_iter", "itr"),
        *("train_num_updates", "valid_num_updates", "up", "total_timesteps", "time_total_timesteps", "timesteps_total"),
        *("iters", "update", "updates", "train_steps", "training_steps", "optimizer_steps", "n_iter", "current_iter"),
        *("step_id", "train_iter", "steps_done"),
    ),
    TOTAL: ("total_steps", "max_steps"),
    EPOCH: ("epoch", "train_epoch", "trainer_epoch", "training_epoch", "ep"),
}
"""Of each quantity its names; where an entry has several, the first counts."""

_OTHER = re.compile(r"[^a-z0-9]+")
_EVALS: Final = (
    "eval|evaluation|val|va|vld|vali|valid|validate|validation|dev"
    "|cv|crossval|cross_validation|heldout|held_out|holdout"
)
_MEAN = "(?:_(?:epoch|avg|average|mean|total))?"
_AGAIN = "train|best|min|lowest|prev|previous|last|final|old|max|delta"
"""Words in the name of a figure of another moment: `early_stopping_best_val_loss`."""
_EVAL = re.compile(
    rf"(?:(?:avg|average|mean)_)?(?:{_EVALS})_(?:(?!(?:\w+_)?(?:{_AGAIN})_)(.+)_)?loss(?:es)?{_MEAN}(?:_(dataloader_idx_\d+))?"
    rf"|(test|tst|te)(?:ing)?_loss(?:es)?{_MEAN}|loss(?:es)?_(?:on_)?(?:{_EVALS}){_MEAN}|loss(?:es)?_(test)|lm_loss_validation|evaluation_loss_vs_iterations|(?:eval_)?metrics_eval_(?:(.+)_)?languagecrossentropy"
    rf"|(?!(?:\w+_)?(?:{_AGAIN}|epoch|time)_)(\w+)_(?:{_EVALS})_loss"
)
_EVAL_MEASURE = re.compile(
    rf"(?:{_EVALS})(?:_\d)?_(?:cost|cross_?entropy|cross_ent|xent|nll|bce|ce|logloss|log_loss)|(test)_(?:cost|cross_?entropy)"
)
"""Evals that call their loss something else: they count where there is no loss."""
_HELD_OUT = re.compile(
    rf"({_EVALS}|test)(?:_(?:step|epoch|end|done|metrics|results?|loss|set|summary|completed?|log|batch))*"
)
_PARTS: Final = frozenset(
    (
        *("mode", "split", "phase", "stage", "subset", "context_subset", "type", "event", "part", "set", "loop"),
        *("msg", "message"),
    )
)
"""What tells the part of the data that an entry was measured on."""
_MAYBE_PARTS: Final = frozenset(
    (
        *("mode", "split", "phase", "stage", "subset", "type", "event", "kind", "part", "dataset", "set"),
        *("tag", "label", "prefix", "section", "category", "action", "message"),
    )
)
"""Last words of names that tell it in some logs, and in others a run's own configuration: `tag`, `eval_split`."""
_FLAGS: Final = {"is_train": True, "is_training": True, "is_eval": False, "is_val": False, "is_validation": False}
"""What is true or false of an entry: whether it was measured on the data that is trained on, or on none of it."""
_TRUTHS: Final = {"true": True, "1": True, "1.0": True, "false": False, "0": False, "0.0": False}
_TRAIN = re.compile("(?:^|_)tr(?:ai)?n(?:ing)?(?:_|$)")
_COURSE = re.compile("_(?:history|curve)$")
_METRICS = re.compile("(?:^|(?<=_))metrics_")
"""What only holds the figures of an entry: `train_metrics/loss`, `metrics/val_loss`."""
_NO_SET: Final = frozenset(
    (
        *("avg", "average", "mean", "total", "epoch", "step", "batch", "running", "lm", "ce"),
        *("nll", "bce", "xe", "cross_entropy"),
    )
)
"""Words in the name of an eval loss that name no set."""
_RATE_OF = re.compile(
    r"(?:train_)?(?:lr|learning_rate)_"
    r"(?:group_?|pg_?)?(?:\d|(?:decoupled_?)?(?:adam|sgd|lion|adafactor|muon).*)"
)
"""One optimizer's or group's rate: `lr-AdamW`, `lr-AdamW/pg1`, `learning_rate_0`."""
_SCHEDULED = re.compile(r"(?:lr|learning.?rate) ?\(\w*(?:decay|warmup|cosine|linear)\w*\)", re.IGNORECASE)
"""A schedule's rate: `lr(CosineDecay)`."""
_HUMP = re.compile(r"(?<=[a-z0-9])(?=[A-Z])")
"""Where a name such as `trainLoss` has its words set apart."""
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
_LAST: Final = 1000
"""Rank of a name that counts only where there is no other."""


def plain(name: str) -> str:
    """A name as it is compared."""
    return _OTHER.sub("_", name.lower()).strip("_")


def spelled_out(name: str) -> str:
    """The same of a name that sets its words apart by capitals, as `trainLoss`."""
    return plain(_HUMP.sub("_", name))


def known(name: str) -> Known | None:
    """What a metric's name stands for; None for a metric that nobody here judges by."""
    return _known(name[:_LONGEST])


def stands_for(name: str, *quantities: str) -> bool:
    """Whether a metric's name stands for one of these quantities."""
    found = known(name)
    return found is not None and found.quantity in quantities


@lru_cache(maxsize=4096)
def _known(name: str) -> Known | None:
    if name == "_step":  # W&B counts its own rows: a step only where no other is named
        return Known(STEP, _LAST)
    if _SCHEDULED.fullmatch(name):
        return Known(RATE, _LAST)
    english = " ".join(in_english(name).split())
    return _meant(plain(english)) or _meant(spelled_out(english))


def _meant(bare: str) -> Known | None:
    bare = _COURSE.sub("", bare)
    if "metrics_" in bare and not bare.endswith("entropy"):
        bare = _METRICS.sub("", bare)
    if found := _EVAL.fullmatch(bare):
        parts = list(filter(None, found.groups()))
        sets = [part for part in parts if part not in _NO_SET]
        return Known(EVAL_LOSS, len(parts) - len(sets), "_".join(sets))
    if bare in _TABLE:
        return _TABLE[bare]
    if found := _EVAL_MEASURE.fullmatch(bare):
        return Known(EVAL_LOSS, _LAST, found[1] or "")
    return Known(RATE, _LAST) if _RATE_OF.fullmatch(bare) else None


def names_part(name: str) -> bool:
    """Whether a name may tell the part of the data that an entry was measured on: `split`, `context.subset`."""
    bare = plain(name)
    return bare in _FLAGS or bare in _PARTS or bare.rpartition("_")[2] in _MAYBE_PARTS


def held_out(name: str, value: object, *, of_training: bool = False) -> str:
    """The part of the data that an entry was measured on, if it is held out; else "".

    Args:
        name: of what tells it.
        value: a text such as `val`, `test` or `validation_end`, or whether it is the part that the name says.
        of_training: whether that name has told of other entries that they are the training's; a name that may be one
            of the run's configuration tells nothing until then.
    """
    bare = plain(name)
    if (trains := _FLAGS.get(bare)) is not None:
        return "eval" if _TRUTHS.get(str(value).lower()) is (not trains) else ""
    if bare not in _PARTS and not of_training:
        return ""
    found = _HELD_OUT.fullmatch(plain(value)) if type(value) is str else None
    return "" if found is None else str(value).strip() if found[1] == found[0] else found[1]


def says_train(text: object) -> bool:
    """Whether a text, a metric's name or the part of the data, speaks of the data that is trained on."""
    return type(text) is str and _TRAIN.search(spelled_out(text)) is not None


def tells_training(names: Iterable[str]) -> bool:
    """Whether one of the names is a loss: an entry with these names is a record of a training."""
    return any(stands_for(name, LOSS, EVAL_LOSS) for name in names)
