"""Chance bench: how often two models are told apart, by the same questions and by their shares alone.

python -m tests.bench.chance

A model answers rightly where a normal value is low enough, and the two models' values correlate. For the same questions
the figures are probabilities, summed over every count of questions on which one model alone is right; for the shares
alone they are of random draws.
"""

from __future__ import annotations

import math
import random
from functools import cache
from statistics import NormalDist

from vlmft_core.scoring.chance import LEVEL, difference, sign_flip

NORMAL = NormalDist()
QUESTIONS = (15, 200, 500)
CORRELATIONS = (0.0, 0.5, 0.8, 0.95)
GAINS = (0.0, 0.03, 0.05, 0.10)
SHARE = 0.85
"""Of the weaker model."""
DRAWS = 1000


def both_right(first: float, second: float, correlation: float) -> float:
    """Probability that two models with these shares both answer a question rightly."""
    limits = NORMAL.inv_cdf(first), NORMAL.inv_cdf(second)
    shared, own = math.sqrt(correlation), math.sqrt(1 - correlation)
    step = 0.02
    values = (step * (index + 0.5) - 8 for index in range(round(16 / step)))
    return sum(
        step * NORMAL.pdf(value) * math.prod(NORMAL.cdf((limit - shared * value) / own) for limit in limits)
        for value in values
    )


@cache
def needed(differing: int) -> int:
    """On how many of the questions on which they differ a model has to be right to be told apart from the other."""
    least = needed(differing - 1) if differing else 0
    while least <= differing and sign_flip([1.0] * least + [-1.0] * (differing - least)) > LEVEL:
        least += 1
    return least


def binomial(count: int, chance: float) -> list[float]:
    """Probability of 0, 1, … of `count`."""
    return [math.comb(count, hits) * chance**hits * (1 - chance) ** (count - hits) for hits in range(count + 1)]


def told_apart(questions: int, first: float, second: float, correlation: float) -> float:
    """Probability that the first model is called better; where both are alike, that either is."""
    both = both_right(first, second, correlation)
    alone = first - both
    differ = alone + second - both
    found = 0.0
    for differing, chance in enumerate(binomial(questions, differ)):
        if chance > 1e-9:
            found += chance * sum(binomial(differing, alone / differ)[needed(differing) :])
    return found * (2 if first == second else 1)


def told_apart_by_shares(questions: int, first: float, second: float, correlation: float) -> float:
    """The same where only the shares are known."""
    both, source = both_right(first, second, correlation), random.Random(questions)
    weights = (both, first - both, second - both, 1 - first - second + both)
    found = 0
    for _ in range(DRAWS):
        drawn = source.choices(range(4), weights, k=questions)
        rights = [(drawn.count(0) + drawn.count(model)) / questions for model in (1, 2)]
        low, high = difference([((rights[0], questions), (rights[1], questions))])
        found += low > 0 or (first == second and high < 0)
    return found / DRAWS


def main() -> None:
    print(f"the better model is called so (gain 0: one of two alike is), the other one right on {SHARE:.0%}")
    print("questions  correlation" + "".join(f"  {f'+{100 * gain:.0f}: pairs, shares':>19}" for gain in GAINS))
    for questions in QUESTIONS:
        for correlation in CORRELATIONS:
            cells = [
                f"{told_apart(questions, SHARE + gain, SHARE, correlation):12.1%} "
                f"{told_apart_by_shares(questions, SHARE + gain, SHARE, correlation):7.1%}"
                for gain in GAINS
            ]
            print(f"{questions:9}  {correlation:11.2f}  " + "  ".join(cells), flush=True)


if __name__ == "__main__":
    main()
