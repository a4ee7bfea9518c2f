"""Noise sweep: how often noisy runs that are healthy are told to stop, and how soon those that overfit are.

The runs are drawn from a seed, so two versions of the rules judge the same ones: run it in two checkouts.
"""

from __future__ import annotations

import math
import random
from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

from vlmft_core.health import STOP, Health
from vlmft_core.run_folder.events import Record

RUNS = 200
NOISES = (0.0, 0.01, 0.02, 0.05, 0.1)
TOGETHER = (0.5, 0.9, 1.0)
"""Correlations of the noise of losses and accuracies."""
AWAY = 0.15
"""An overfitting run has risen away once its loss without noise is this far above its lowest."""
LATE = 2
"""Evals after that within which it should be told."""


class Drawn(NamedTuple):
    """One simulated run."""

    clean: list[float]
    """Eval losses without noise."""
    evals: list[float]
    train: list[float]
    accuracies: list[float]
    """Token accuracies, which scatter as much as the losses."""


def drawn(rng: random.Random, count: int, noise: float, rise: float, together: float = 0.0) -> Drawn:
    """A loss that falls to a floor, and from 40 % of the run on rises to `rise` above it by the end, as a share.

    Args:
        rng: the chance.
        count: evals.
        noise: of the eval losses, as a share.
        rise: 0 for a healthy run.
        together: correlation of an accuracy's noise with its loss's: both are measured on the same samples.
    """
    done = [index / count for index in range(1, count + 1)]
    clean = [(0.8 + 0.6 * math.exp(-6 * at)) * (1 + rise * max(0.0, at - 0.4) / 0.6) for at in done]
    own = [rng.gauss(0, 1) for _ in clean]
    evals = [loss * max(0.05, 1 + noise * chance) for loss, chance in zip(clean, own, strict=True)]
    train = [(0.3 + math.exp(-3 * at)) * (1 + rng.gauss(0, 0.02)) for at in done]
    both = [together * chance + math.sqrt(1 - together**2) * rng.gauss(0, 1) for chance in own]
    scatter = max(noise, 0.002)
    accuracies = [0.9 - 0.2 * loss * (1 + scatter * chance) for loss, chance in zip(clean, both, strict=True)]
    return Drawn(clean, evals, train, accuracies)


def improving(rng: random.Random, count: int, questions: int) -> tuple[list[float], list[float]]:
    """Eval losses that fall at every eval, and the accuracies of a model that gets no better or worse at answering."""
    losses = [0.5 + 1.0 * math.exp(-4 * index / count) for index in range(1, count + 1)]
    return losses, [sum(rng.random() < 0.7 for _ in range(questions)) / questions for _ in range(count)]


def log(run: Drawn, **more: Sequence[Any]) -> list[Record]:
    """Its records: ten logged losses before each eval; `more` are fields of the evals."""
    found: list[Record] = []
    for index, (loss, level, accuracy) in enumerate(zip(run.evals, run.train, run.accuracies, strict=True)):
        for step in range(10 * index + 1, 10 * index + 11):
            head = {"v": 1, "seq": len(found), "t": float(step), "epoch": step / (2.5 * len(run.evals))}
            found.append(head | {"event": "step", "step": step, "loss": level, "lr": 1e-5, "grad_norm": 0.5})
        fields = {name: values[index] for name, values in more.items()}
        head = {"v": 1, "seq": len(found), "t": float(step), "epoch": step / (2.5 * len(run.evals)), "event": "eval"}
        found.append(head | {"step": step, "eval_loss": loss, "token_accuracy": accuracy} | fields)
    return found


def stops(records: list[Record]) -> tuple[int | None, bool]:
    """The first eval, counted from 0, at which a stop was asked for, and whether one is at the end."""
    health, first = Health(), None
    for index, changed in health.feed_all(records):
        if first is None and any(one.active and one.severity == STOP for one in changed):
            first = sum(record["event"] == "eval" for record in records[: index + 1]) - 1
    return first, any(one.severity == STOP for one in health.active)


def table(count: int, noises: Sequence[float] = NOISES, *, alone: bool = False, together: float = 0.0) -> None:
    """Shares in percent.

    Args:
        count: evals of a run.
        noises: of the eval losses.
        alone: whether the evals tell a loss and no accuracy.
        together: as `drawn`.
    """
    more = {"token_accuracy": [None] * count} if alone else {}
    head = f"{count} evals{', losses alone' if alone else f', r = {together}' if together else ''}"
    print(f"{head:25}healthy: stopped, at the end   rising to +40 %: caught, in time    to +100 %")
    for noise in noises:
        rng = random.Random(count)
        healthy = [stops(log(drawn(rng, count, noise, 0.0, together), **more)) for _ in range(RUNS)]
        ends = _share(end for _, end in healthy)
        row = f"  noise {noise:5.0%}{_share(at is not None for at, _ in healthy):>22}{ends:>12}"
        for rise in (0.4, 1.0):
            caught, in_time = [], []
            for _ in range(RUNS):
                run = drawn(rng, count, noise, rise, together)
                lowest = [min(run.clean[: index + 1]) for index in range(count)]
                away = next(i for i, loss in enumerate(run.clean) if loss > lowest[i] * (1 + AWAY))
                first, _ = stops(log(run, **more))
                caught.append(first is not None)
                in_time.append(first is not None and first <= away + LATE)
            row += f"{_share(caught):>16}{_share(in_time):>10}"
        print(row)


def _share(told: Iterable[bool]) -> str:
    return f"{100 * sum(told) / RUNS:.1f}"


def accuracies() -> None:
    print("\nruns whose eval loss improves at every eval: those with accuracy_falling, at any time")
    for questions in (15, 200, 500):
        for count in (5, 10, 40):
            rng, told = random.Random(questions + count), 0
            for _ in range(RUNS):
                losses, values = improving(rng, count, questions)
                run = Drawn(losses, losses, [1.2 * loss for loss in losses], [0.9 - 0.2 * one for one in losses])
                tasks = [{"chartqa": {"relaxed_accuracy": value, "n": questions}} for value in values]
                health = Health()
                for record in log(run, tasks=tasks):
                    health.feed(record)
                told += any(finding.rule == "accuracy_falling" for finding in health.findings)
            print(f"  {questions:4} questions, {count:3} evals: {told:4} of {RUNS}")


def main() -> None:
    for count in (10, 20, 40):
        table(count)
    for count in (10, 20, 40):
        table(count, NOISES[-1:], alone=True)
    for count in (10, 20, 40):
        for together in TOGETHER:
            table(count, NOISES[2:], together=together)
    accuracies()


if __name__ == "__main__":
    main()
