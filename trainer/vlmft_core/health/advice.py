"""Advice: the published recipe's troubleshooting, fitted to the run's own preset so that every change is one."""

from __future__ import annotations

from vlmft_core.figures import figure, short
from vlmft_core.health.figures import number
from vlmft_core.health.finding import STOP, Advice
from vlmft_core.health.health_state import HealthState
from vlmft_core.run_folder.layout import checkpoint_name

Changes = list[tuple[str, object]]

ALL_MODULES = ["q_proj", "v_proj", "k_proj", "o_proj", "gate_proj", "up_proj", "down_proj"]
"""The published recipe's target modules for the most capacity."""
USUAL_RATES = (3e-5, 2e-4)
"""Lowest and highest learning rate of the published recipe."""

_LOWERING = frozenset(
    {"non_finite", "loss_exploded", "grad_high", "eval_rising", "eval_off_best", "gap", "accuracy_falling"}
)
"""Rules that advise a lower rate: the run learns too fast, or too much."""

_WORDS = {
    "training.weight_decay": "weight decay",
    "lora.dropout": "LoRA dropout",
    "training.learning_rate": "learning rate",
    "lora.r": "LoRA rank",
    "lora.alpha": "LoRA alpha",
    "training.epochs": "epochs",
    "data.workers": "data workers",
}


NONE = Advice("")
"""Beside a graver finding whose advice is the one to follow."""
FEWER = 0.7
"""A best eval before this share of the planned epochs asks for fewer of them."""


def lowering(state: HealthState) -> bool:
    """Whether a rule that holds now advises a lower rate. Advice to train harder would contradict it."""
    return not _LOWERING.isdisjoint(state.holding)


def overfitting(state: HealthState) -> Advice:
    """Use the best checkpoint; then fewer epochs, more regularisation and a lower rate. None of it beside numbers that
    are not finite, where it is no cure, nor while the eval loss is at its best, where nothing is to be cured yet."""
    if state.broken:
        return NONE
    evals = state.evaluated
    if evals.best is not None and evals.last is not None and evals.last.loss <= evals.best.loss:
        return Advice(f"The eval loss is still at its best: there is nothing to cure yet. {_best(state)}")
    return _for_next_run(
        state,
        _best(state),
        [
            *_fewer_epochs(state),
            *_first_above(state, "training", "weight_decay", 0.02, 0.05),
            *_first_above(state, "lora", "dropout", 0.1),
            *_lower_rate(state),
        ],
    )


def own_metric(state: HealthState) -> Advice:
    """The run's own metric decides, not the eval loss."""
    return Advice("Judge by that metric, and watch the next evals: the answers may get better while the loss rises.")


def diverging(state: HealthState, look: str) -> Advice:
    """A lower rate, and a look at what `look` names."""
    return NONE if state.broken else _for_next_run(state, look, _lower_rate(state))


def not_finite(state: HealthState) -> Advice:
    """A lower rate, and the last checkpoint from before the first number that was not finite, if there is one."""
    return _back_before(state, state.odd_first if state.odd_count else state.at + 1)


def exploded(state: HealthState, lowest: int) -> Advice:
    """A lower rate, and the last checkpoint from before the loss was lowest, if there is one."""
    return NONE if state.holding.get("non_finite") == STOP else _back_before(state, lowest)


def _back_before(state: HealthState, step: int) -> Advice:
    sound = [one for one in state.checkpoints if one < step]
    back = f"resume from {checkpoint_name(max(sound))}" if sound else "begin anew: no checkpoint is from before it"
    return _for_next_run(state, f"Look at the data of these steps, and {back}.", _lower_rate(state))


def loss_too_high(state: HealthState) -> Advice:
    """Data format, a higher rate, and whether the adapter is applied."""
    trained = number(state.plan.get("trainable_params"))
    adapter = "LoRA is applied" if state.kind.own else "what shall be trained is"
    applied = f"check that {adapter} (trainable parameters)"
    if trained is not None:
        applied = f"check that {_count(trained)} trainable parameters are what the adapter should have"
    return _for_next_run(state, f"Check the format of the data, and {applied}.", _higher_rate(state))


def underfitting(state: HealthState) -> Advice:
    """More rate, rank, modules and epochs."""
    changes = [*_higher_rate(state), *_first_above(state, "lora", "r", 32)]
    if ("lora.r", 32) in changes:
        changes += _first_above(state, "lora", "alpha", 64)
    modules = state.setting("lora", "target_modules")
    named = {one for one in modules if isinstance(one, str)} if isinstance(modules, list) else set()
    if "all-linear" not in named and set(ALL_MODULES) - named:
        changes.append(("lora.target_modules", ALL_MODULES))
    return _for_next_run(state, "", [*changes, *_first_above(state, "training", "epochs", 8, 10)])


def answers_no_better(state: HealthState, *, few: bool) -> Advice:
    """A look at the answers; to train harder, where the eval loss had not left its best and no rule says otherwise.

    Args:
        few: whether more questions would tell more.
    """
    looks = "Look at the answers: vlmft eval keeps them beside the right ones."
    if few:
        looks += " More eval questions tell smaller gains (data.max_eval, evaluation.answers)."
    evals = state.evaluated
    if evals.last is None or evals.off > state.settings.min_rise or lowering(state):
        return Advice(looks)
    harder = underfitting(state)
    return Advice(f"{looks} {harder.text}".strip(), harder.changes)


def watching(state: HealthState) -> Advice:
    """Nothing to change yet."""
    return NONE if state.broken else Advice(f"Watch the next evals; when they do not improve, stop. {_best(state)}")


def waiting_for_data(state: HealthState) -> Advice:
    """More processes to decode images."""
    workers = number(state.setting("data", "workers"))
    wanted = 2 if not workers else min(2 * int(workers), 16)
    changes: Changes = [("data.workers", wanted)] if workers is None or wanted > workers else []
    return _for_next_run(state, "Decode images beside the training, or keep them on a faster disk.", changes)


def _best(state: HealthState) -> str:
    best = state.evaluated.best
    if best is None:
        return ""
    epoch = "" if best.epoch is None else f", epoch {best.epoch:.1f}"
    if best.step in state.checkpoints:
        return f"Use {checkpoint_name(best.step)}, the best (eval loss {figure(best.loss)}{epoch})."
    return f"The best eval was at step {best.step:,} (loss {figure(best.loss)}{epoch})."


def _first_above(state: HealthState, section: str, key: str, *values: float) -> Changes:
    """The first of `values` that is more than the preset's own; nothing where none is."""
    own = number(state.setting(section, key))
    higher = [value for value in values if own is None or value > own]
    return [(f"{section}.{key}", higher[0])] if higher else []


def epochs_planned(state: HealthState) -> float | None:
    """The run's epochs: its preset's, else the plan's."""
    own = number(state.setting("training", "epochs"))
    total, each = number(state.plan.get("total_steps")), number(state.plan.get("steps_per_epoch"))
    return own if own is not None or total is None or each is None or each <= 0 else total / each


def _fewer_epochs(state: HealthState) -> Changes:
    """As many epochs as the best eval had, and one more for the rate to come to its end."""
    best, total = state.evaluated.best, epochs_planned(state)
    if best is None or best.epoch is None or total is None or best.epoch > FEWER * total:
        return []
    enough = max(1, round(best.epoch)) + 1
    return [("training.epochs", enough)] if enough < total else []


def _lower_rate(state: HealthState) -> Changes:
    """The published recipe's 3e-5 from a usual rate; half of one that is already as low, or far above the usual.

    The planned peak counts. Far above the usual the highest rate that was reached does, and where numbers were not
    finite any more the rate at which that began, which may be lower still: it did the harm.
    """
    low, high = USUAL_RATES
    rate = state.peak_lr if state.peak_lr > high else state.rate
    if state.odd_rate is not None and state.odd_rate > 0:
        rate = state.odd_rate if rate is None else min(rate, state.odd_rate)
    lower = low if rate is None or low < rate <= high else float(f"{rate / 2:.2g}")
    return [("training.learning_rate", lower)] if rate is None or 0 < lower < rate else []


def _higher_rate(state: HealthState) -> Changes:
    """The published recipe's 5e-5 or 6e-5, the next above the run's own; none beside advice to lower it."""
    rate = state.rate
    higher = [value for value in (5e-5, 6e-5) if rate is None or value > rate] if not lowering(state) else []
    return [("training.learning_rate", higher[0])] if higher else []


def _change(state: HealthState, key: str, value: float) -> str:
    if key == "training.epochs" and value < (epochs_planned(state) or 0):
        return f"{short(value - 1)} or {short(value)} epochs"
    word = _WORDS[key] if state.kind.own else _WORDS[key].removeprefix("LoRA ")
    return f"{word} {short(value)}"


def _count(value: float) -> str:
    return f"{value:,.0f}" if value < 1e15 else figure(value)


def _for_next_run(state: HealthState, now: str, changes: Changes) -> Advice:
    numbers = [(key, value) for key, value in changes if key in _WORDS and isinstance(value, int | float)]
    parts = [_change(state, key, value) for key, value in numbers]
    if any(key == "lora.target_modules" for key, _ in changes):
        parts.append("all seven target modules")
    then = f"For the next run: {', '.join(parts)}." if parts else ""
    return Advice(" ".join(part for part in (now, then) if part), tuple(changes))
