"""Entry layout: which of an entry's names stands for which quantity. The entries of a log have few layouts."""

from __future__ import annotations

from typing import Final, NamedTuple

from vlmft_console.history.importers.entries.metric_names import (
    EPOCH,
    EVAL_LOSS,
    GRAD_NORM,
    LOSS,
    RATE,
    STEP,
    TOTAL,
    known,
    names_part,
    plain,
)

STEPS_PER_S: Final = "steps_per_s"
"""A speed, of which our log has the inverse."""
_STEP_EXTRAS: Final = {
    "train_speed_s_it": "step_s",
    "train_speed_iter_s": STEPS_PER_S,
    "memory_gib": "mem_gib",
    "throughput": "tokens_per_s",
    "mean_token_accuracy": "token_accuracy",
    "token_acc": "token_accuracy",
    "acc": "token_accuracy",
}
"""Figures beside the loss, and what they are called in our log."""
_ACCURACY: Final = ("mean_token_accuracy", "token_acc", "acc")
CLOCK: Final = "elapsed_time"
"""The name that tells the time of an entry in seconds, or as a clock does."""
_CLOCKS: Final = frozenset(("_timestamp", "_runtime", CLOCK))
"""What tells the time of an entry, and is no metric."""
_END: Final = frozenset(("train_runtime", "train_train_runtime"))


class EvalName(NamedTuple):
    """An eval loss in an entry."""

    name: str
    eval_set: str
    extras: tuple[tuple[str, str], ...]
    """Names beside it of the same set, and what they are called in our log."""


class Usual(NamedTuple):
    """The names of a training record that has nothing unusual."""

    step: str | None
    """None where steps have to be counted."""
    loss: str
    figures: tuple[tuple[str, str], ...]
    """The loss, and what there is of epoch, rate and norm, each with what it is called in our log."""


class Layout(NamedTuple):
    """The names of an entry by what they stand for, in the order in which they count; first the one that does."""

    step: tuple[str, ...]
    total: tuple[str, ...]
    epoch: tuple[str, ...]
    loss: tuple[str, ...]
    rate: tuple[str, ...]
    grad_norm: tuple[str, ...]
    evals: tuple[EvalName, ...]
    parts: tuple[tuple[str, str], ...]
    """Where there is no other train loss: `train_NAME_loss` and NAME, of sets of evals: YOLO's `box`, `cls`, `dfl`."""
    extras: tuple[tuple[str, str], ...]
    """Names of figures beside the train loss, and what they are called in our log."""
    figures: tuple[str, ...]
    """All the losses, rates and norms."""
    losses: tuple[str, ...]
    """The losses, of the training and of evals, where there are several."""
    others: tuple[str, ...]
    """Names that may be metrics, and are none of the above but an extra."""
    splits: tuple[str, ...]
    """The names that may tell the part of the data: `val` makes a `loss` an eval loss."""
    plain: bool
    """Whether there is no more than one train loss, with one rate and one norm."""
    ends: bool
    """Whether the entry is a training's last, which sums it up."""
    usual: Usual | None
    """What nearly all entries of a log are; None for one that may be an eval, or tells a total."""


_CACHE: Final[dict[tuple[str, ...], Layout]] = {}
_CACHED: Final = 256
_LONGEST_CACHED: Final = 16 << 10
"""Characters of an entry's names; what no trainer writes is not kept."""


def layout_of(names: tuple[str, ...]) -> Layout:
    """The layout of an entry with these names, in its order."""
    if (found := _CACHE.get(names)) is None:
        found = _layout(names)
        if sum(map(len, names)) <= _LONGEST_CACHED:
            if len(_CACHE) >= _CACHED:
                _CACHE.clear()
            _CACHE[names] = found
    return found


def _layout(names: tuple[str, ...]) -> Layout:
    bare = {name: plain(name) for name in names}
    ends = not _END.isdisjoint(bare.values())
    ranked: dict[str, list[tuple[int, str]]] = {}
    others: list[str] = []
    for name in names:
        found = known(name)
        if found is not None and not (ends and found.quantity == LOSS and found.rank):
            ranked.setdefault(found.quantity, []).append((found.rank, name))
        elif name not in _CLOCKS:
            others.append(name)  # beside `train_runtime`, `train_loss` is the mean over the run
    order = {quantity: tuple(name for _, name in sorted(found, key=_rank)) for quantity, found in ranked.items()}
    evals = tuple(_eval(name, bare) for name in order.get(EVAL_LOSS, ()))
    losses = (*order.get(LOSS, ()), *order.get(EVAL_LOSS, ()))
    sets = () if LOSS in order else tuple(filter(None, (one.eval_set for one in evals)))
    parts = tuple((name, one) for one in sets for name in others if bare[name] == f"train_{one}_loss")
    told = dict(parts)
    usual = None
    if not evals and not ends and TOTAL not in order and LOSS in order and CLOCK not in names:
        figures = tuple((order[ours][0], ours) for ours in (LOSS, EPOCH, RATE, GRAD_NORM) if ours in order)
        usual = Usual(order[STEP][0] if STEP in order else None, order[LOSS][0], figures)
    return Layout(
        step=order.get(STEP, ()),
        total=order.get(TOTAL, ()),
        epoch=order.get(EPOCH, ()),
        loss=order.get(LOSS, ()),
        rate=order.get(RATE, ()),
        grad_norm=order.get(GRAD_NORM, ()),
        # An unnamed set counts before its own parts beside it: `eval_loss` before `eval_ctc_loss`.
        evals=tuple(sorted(evals, key=lambda one: bool(one.eval_set))),
        parts=parts,
        extras=tuple((name, ours) for name in names if (ours := _STEP_EXTRAS.get(_short(bare[name])))),
        figures=tuple(name for quantity in (LOSS, RATE, GRAD_NORM, EVAL_LOSS) for name in order.get(quantity, ()))
        + tuple(told),
        losses=losses if len(losses) > 1 else (),
        others=tuple(name for name in others if name not in told),
        splits=tuple(filter(names_part, names)),
        plain=not others and not evals and max(len(order.get(one, ())) for one in (LOSS, RATE, GRAD_NORM)) == 1,
        ends=ends,
        usual=usual,
    )


def _rank(ranked: tuple[int, str]) -> int:
    return ranked[0]


def _short(bare: str) -> str:
    return bare if bare in _STEP_EXTRAS else bare.removeprefix("train_")


def _eval(name: str, bare: dict[str, str]) -> EvalName:
    found = known(name)
    prefix = bare[name].rpartition("loss")[0]
    wanted = {f"{prefix}runtime": "runtime_s", **{f"{prefix}{key}": "token_accuracy" for key in _ACCURACY}}
    extras = tuple((other, wanted[short]) for other, short in bare.items() if short in wanted)
    return EvalName(name, found.eval_set if found else "", extras)
