"""Facts: what lists of runs are filtered and sorted by, the same in the app and on the command line."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import TypeVar

from vlmft_console.runs.labels import Labels

NUMBERS = ("step", "done", "train", "eval", "best", "age")
"""Names of the figures: steps done, share of the plan in percent, last train, last and best eval loss, age in hours."""


@dataclass(frozen=True)
class RunFacts:
    """Of one run at one moment."""

    name: str
    state: str
    live: bool
    preset: str
    health: str
    """Severity and rule of the worst finding, `ok`, or empty."""
    labels: Labels
    numbers: Mapping[str, float | None] = field(default_factory=dict)
    """By the names of `NUMBERS`; None for what is not known."""
    recorded: bool = False
    """Whether it is a recorded run that comes with vlmft."""

    def texts(self, key: str) -> list[str]:
        """What a text key stands for, a text or several."""
        return {
            "name": [self.name],
            "state": [self.state, *(["live"] if self.live else []), *(["sample"] if self.recorded else [])],
            "preset": [self.preset],
            "health": [self.health, *self.health.split()],
            "tag": list(self.labels.tags),
            "note": [self.labels.note],
        }[key]


def facts(
    *,
    name: str,
    state: str,
    live: bool,
    preset: str,
    health: str,
    labels: Labels,
    step: int,
    total_steps: int | None,
    train: float | None,
    last_eval: float | None,
    best_eval: float | None,
    age_seconds: float,
    recorded: bool = False,
) -> RunFacts:
    """Those of a run with these figures."""
    done = 100 * step / total_steps if total_steps else None
    numbers = (float(step), done, train, last_eval, best_eval, age_seconds / 3600)
    return RunFacts(name, state, live, preset, health, labels, dict(zip(NUMBERS, numbers, strict=True)), recorded)


ORDERS: Mapping[str, Callable[[RunFacts], tuple[float, str]]] = {
    "age": lambda run: _number(run, "age"),
    "eval": lambda run: _number(run, "eval"),
    "best": lambda run: _number(run, "best"),
    "train": lambda run: _number(run, "train"),
    "step": lambda run: (-(run.numbers["step"] or 0), run.name),
    "name": lambda run: (0, run.name),
    "state": lambda run: (0, run.state),
    "preset": lambda run: (0, run.preset),
}
"""What runs can be sorted by: newest, lowest loss, most steps first; what has no figure comes last."""

Run = TypeVar("Run")


def in_order(runs: Iterable[Run], order: str, fact: Callable[[Run], RunFacts]) -> list[Run]:
    """Runs sorted by one of `ORDERS`; among equal ones the order stays."""
    return sorted(runs, key=lambda run: ORDERS[order](fact(run)))


def _number(run: RunFacts, name: str) -> tuple[float, str]:
    value = run.numbers[name]
    return (float("inf") if value is None or value != value else value, "")
