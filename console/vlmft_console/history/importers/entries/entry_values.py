"""Entry values: the numbers of one entry of a log, read by its layout."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from vlmft_console.history.importers.entries.entry_layout import STEPS_PER_S, EvalName, Layout
from vlmft_console.history.importers.entries.metric_names import GRAD_NORM, LOSS, held_out, known, says_train
from vlmft_console.history.importers.entries.parsing import number, step_of_total, whole

LARGEST: Final = 1e300
"""Numbers from here on are not finite to us: our own log refuses them too."""
_NAMES: Final = 500
_LONGEST_NAME: Final = 200

MORE_NAMES: Final = f"this log has more than {_NAMES} metrics: the first of them are kept"


def of_split(values: Mapping[str, Any], splits: tuple[str, ...], of_training: set[str]) -> Mapping[str, Any]:
    """An entry that tells the part of the data it was measured on, with that in the names of its metrics.

    Args:
        values: the entry: `{"split": "val", "loss": 1.5, "step": 10}` becomes `{"val/loss": 1.5, "step": 10}`.
        splits: the names that may tell it.
        of_training: those that have told of entries of this log that they are the training's; is added to.
    """
    of_training.update(split for split in splits if says_train(values[split]))
    told = (held_out(split, values[split], of_training=split in of_training) for split in splits)
    part = next(filter(None, told), "")
    if not part:
        return values
    return {
        f"{part}/{name}" if _is_of_part(name) else name: value for name, value in values.items() if name not in splits
    }


def _is_of_part(name: str) -> bool:
    """Whether a metric was measured on the part of the data that its entry tells, for all that its own name says."""
    found = known(name)
    return (found is None or found.quantity in (LOSS, GRAD_NORM)) and not says_train(name)


def first(names: tuple[str, ...], values: Mapping[str, Any]) -> float | None:
    """The first of several names that tells a number."""
    for name in names:
        if (found := number(values[name])) is not None:
            return found
    return None


def place(layout: Layout, values: Mapping[str, Any]) -> tuple[int | None, int | None]:
    """The entry's step, and the steps that there will be."""
    step = total = None
    for name in layout.step:
        if values[name] is not None:
            step, total = step_of_total(values[name])
            break
    for name in layout.total:
        if total is None:
            total = whole(values[name])
    return step, total


def step_extras(layout: Layout, values: Mapping[str, Any]) -> dict[str, float]:
    """Figures beside a train loss, by the names of our log."""
    extras: dict[str, float] = {}
    for theirs, ours in layout.extras:
        found = _figure(values[theirs])
        if ours != STEPS_PER_S and found is not None:
            extras[ours] = found
        elif found:
            extras["step_s"] = 1 / found
    return extras


def eval_extras(told: EvalName, values: Mapping[str, Any]) -> dict[str, float]:
    """Figures beside an eval loss, by the names of our log."""
    return {ours: found for theirs, ours in told.extras if (found := _figure(values[theirs])) is not None}


def _figure(value: Any) -> float | None:
    """A finite figure that nothing depends on; None where there is none to be had."""
    try:
        found = number(value)
    except ValueError:
        return None
    return found if found is not None and abs(found) < LARGEST else None


class OtherMetrics:
    """The metrics of a log beside those that it is judged by, by their own names: the first `_NAMES` of them."""

    def __init__(self) -> None:
        self._names: dict[str, str] = {}
        self.more = False
        """Whether there are more than those kept."""

    @property
    def names(self) -> tuple[str, ...]:
        """In the order seen, long ones cut."""
        return tuple(self._names.values())

    def of(self, names: tuple[str, ...], values: Mapping[str, Any]) -> dict[str, float | None]:
        """The numbers among these values of an entry; None for one that is not finite."""
        found: dict[str, float | None] = {}
        for name in names:
            told = values[name]
            if type(told) is str and ":" in told:
                continue  # a duration, which nearly every entry of some logs has twice: an exception would cost more
            try:
                value = number(told)
            except ValueError:
                continue
            name = name[:_LONGEST_NAME]
            if value is not None and (kept := self._names.get(name) or self._keep(name)):
                found[kept] = value if -LARGEST < value < LARGEST else None
        return found

    def _keep(self, name: str) -> str:
        if len(self._names) >= _NAMES:
            self.more = True
            return ""
        # JSON can spell half of a character, which nobody can print.
        self._names[name] = name.encode("utf-8", "replace").decode() or "''"
        return self._names[name]
