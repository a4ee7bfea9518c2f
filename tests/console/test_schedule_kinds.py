"""Schedules of transformers with random parameters, logged in whatever way: each is told by its name."""

from __future__ import annotations

import math
import random
from collections.abc import Callable

import pytest

from vlmft_console.history.schedule_fit import recognise

Shape = Callable[[int], float]
"""Share of the peak after so many updates; the formulas of transformers.optimization."""


def warmed(warmup: int, behind: Shape) -> Shape:
    return lambda updates: updates / warmup if updates < warmup else behind(updates)


def constant(chance: random.Random, warmup: int, total: int) -> Shape:
    return lambda _: 1.0


def linear(chance: random.Random, warmup: int, total: int) -> Shape:
    return lambda updates: max(0.0, (total - updates) / (total - warmup))


def cosine(chance: random.Random, warmup: int, total: int) -> Shape:
    floor = chance.choice((0.0, 0.0, 0.1, chance.uniform(0.01, 0.5)))
    return lambda updates: floor + (1 - floor) * half_cosine((updates - warmup) / (total - warmup))


def cosine_restarts(chance: random.Random, warmup: int, total: int) -> Shape:
    cycles = chance.randint(2, 4)

    def share(updates: int) -> float:
        progress = (updates - warmup) / (total - warmup)
        return half_cosine(cycles * progress % 1) if progress < 1 else 0.0

    return share


def inverse_sqrt(chance: random.Random, warmup: int, total: int) -> Shape:
    scale = warmup or 10_000
    return lambda updates: 1 / math.sqrt((updates + scale - warmup) / scale)


def polynomial(chance: random.Random, warmup: int, total: int) -> Shape:
    power, end = chance.choice((2.0, 3.0)), 1e-7 / PEAK
    return lambda updates: (1 - end) * max(0.0, 1 - (updates - warmup) / (total - warmup)) ** power + end


def wsd(chance: random.Random, warmup: int, total: int) -> Shape:
    fall = chance.randint(total // 5, total // 2)
    floor = chance.choice((0.0, 0.1))
    shape = chance.choice((lambda share: 1 - share, half_cosine, lambda share: 1 - math.sqrt(share)))

    def share(updates: int) -> float:
        done = max(0.0, (updates - (total - fall)) / fall)
        return floor + (1 - floor) * shape(min(1.0, done))

    return share


def half_cosine(progress: float) -> float:
    return (1 + math.cos(math.pi * max(0.0, min(1.0, progress)))) / 2


PEAK = 1e-4


@pytest.mark.parametrize("make", [constant, linear, cosine, cosine_restarts, inverse_sqrt, polynomial, wsd])
def test_a_schedule_is_told_with_its_warm_up_however_it_was_logged(
    make: Callable[[random.Random, int, int], Shape],
) -> None:
    chance = random.Random(make.__name__)
    for _ in range(10):
        total = chance.randint(300, 5000)
        every = chance.choice((1, 5, 10, chance.randint(2, total // 60)))
        warmup = chance.randint(max(2, 3 * every), total // 8 + 3 * every)
        before = chance.choice((0, 1))  # whether a step's rate is the one before or after its update
        share = warmed(warmup, make(chance, warmup, total))
        points = [
            (float(step), float(f"{PEAK * share(step - before):.6g}"))
            for step in range(chance.choice((1, every)), total + 1, every)
        ]
        found = recognise(points)
        told = (make.__name__, total, every, warmup, before, found)
        assert found.kind == make.__name__.replace("_", "-"), told
        assert found.warmup_steps == pytest.approx(warmup, abs=1 + every / 10), told
        assert found.max_deviation == pytest.approx(0, abs=2e-3), told
