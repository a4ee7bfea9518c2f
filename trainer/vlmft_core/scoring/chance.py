"""Chance in shares of right answers: what a share may be off by, and whether two of them really differ.

Answers to the same questions are compared in pairs, question by question: what is hard for one model is hard for the
other, and only the questions on which they differ tell them apart. Answers to other questions are compared by their
shares alone, which takes a far larger difference.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

LEVEL: Final = 0.05
"""Probability of chance alone up to which a difference counts as one."""
Z: Final = 1.959964
"""Standard deviations within which a normal value lies 19 times of 20."""
FEW_QUESTIONS: Final = 100
"""Below this many questions a share of right answers says little."""
_FINEST: Final = 100
"""Parts into which the largest difference is divided where differences are counted."""
_MOST: Final = 2_000_000
"""Sums that are gone through one by one; of more, the distribution is taken to be normal."""


Asked = tuple[float, int]
"""A share of right answers, 0 to 1, and how many questions there were."""


def interval(share: float, questions: int) -> tuple[float, float]:
    """Where the true share lies, 19 times of 20.

    Wilson's interval (1927), which neither leaves 0 to 1 nor shrinks to nothing; where none or all are right, the exact
    one of Clopper and Pearson (1934), which is then `1 - 0.025 ** (1 / n)` wide. For points between 0 and 1 it is wider
    than need be, as they scatter less than right and wrong.

    Args:
        share: mean of the points, 0 to 1.
        questions: how many, at least 1.
    """
    edge = 1 - (LEVEL / 2) ** (1 / questions)
    if share <= 0:
        return 0.0, edge
    if share >= 1:
        return 1 - edge, 1.0
    weight = Z * Z / questions
    middle = (share + weight / 2) / (1 + weight)
    spread = Z * math.sqrt(share * (1 - share) / questions + weight / (4 * questions)) / (1 + weight)
    return max(0.0, middle - spread), min(1.0, middle + spread)


def half_width(share: float, questions: int) -> float:
    """How far a share of so many questions may be off: half of `interval`."""
    low, high = interval(share, questions)
    return (high - low) / 2


def mean_interval(tasks: Sequence[Asked]) -> tuple[float, float]:
    """The `interval` of the mean over several tasks, whose squared distances add up as in `difference`."""
    mean = sum(share for share, _ in tasks) / len(tasks)
    bounds = [(share, interval(share, questions)) for share, questions in tasks]
    low = math.sqrt(sum((share - low) ** 2 for share, (low, _) in bounds))
    high = math.sqrt(sum((high - share) ** 2 for share, (_, high) in bounds))
    return mean - low / len(tasks), mean + high / len(tasks)


def difference(tasks: Sequence[tuple[Asked, Asked]]) -> tuple[float, float]:
    """Where the true difference of two models' shares (first minus second) lies, 19 times of 20, if each answered
    questions of its own.

    Newcombe's hybrid score interval (1998, method 10) with each share's `interval`; of several tasks, whose mean
    difference it is then, the squared distances add up (as in Newcombe's own derivation for two shares).

    Args:
        tasks: for each, what the one model came to, and the other; at least one.
    """
    middle = low = high = 0.0
    for first, second in tasks:
        (low1, high1), (low2, high2) = interval(*first), interval(*second)
        middle += first[0] - second[0]
        low += (first[0] - low1) ** 2 + (high2 - second[0]) ** 2
        high += (high1 - first[0]) ** 2 + (second[0] - low2) ** 2
    return (middle - math.sqrt(low)) / len(tasks), (middle + math.sqrt(high)) / len(tasks)


@dataclass(frozen=True)
class Paired:
    """Two models' answers to the same questions."""

    questions: int
    gain: float
    """Mean of the differences, -1 to 1."""
    better: int
    """Questions to which the one gave the better answer."""
    worse: int
    """Questions to which the other did."""
    p: float
    """Probability that chance alone makes a difference as large, either way."""

    @property
    def sure(self) -> bool:
        """Whether it is more than chance."""
        return self.p <= LEVEL

    @property
    def says(self) -> str:
        """`better on 12, worse on 3, p = 0.035`, and whether that may be chance."""
        if not self.better and not self.worse:
            return "no question answered better or worse"
        p = "p < 0.001" if self.p < 0.001 else f"p = {self.p:.2g}" if self.p < 0.1 else f"p = {self.p:.2f}"
        return f"better on {self.better:,}, worse on {self.worse:,}, {p}{'' if self.sure else ': may be chance'}"

    @classmethod
    def read(cls, value: Any) -> Paired | None:
        """Of a record in a log; None where it is not one."""
        if not isinstance(value, Mapping):
            return None
        counts = [count for key in ("questions", "better", "worse") if type(count := value.get(key)) is int]
        shares = [float(share) for key in ("gain", "p") if isinstance(share := value.get(key), int | float)]
        if len(counts) < 3 or len(shares) < 2 or min(counts) < 0 or not all(abs(share) <= 1 for share in shares):
            return None
        return cls(counts[0], shares[0], counts[1], counts[2], shares[1])


def paired(tasks: Sequence[Sequence[tuple[float, float]]]) -> Paired:
    """Compare answers to the same questions; of several tasks each counts alike.

    The exact test of Fisher (1935) and Pitman (1937): were the two models alike, each difference could as well have the
    other sign. `p` is the share of all ways to choose the signs that make a sum at least as large. Where points are 0
    or 1 alone this is McNemar's exact test (binomial, of the questions on which they differ); it takes points between,
    as TextVQA's, just as well. It is exact for few questions, too: two models that are alike are told apart at most 1
    time in 20.

    Args:
        tasks: of each, the points (0 to 1) of one model and of the other for every question.
    """
    asked = [task for task in tasks if task]
    differences = [(one - other) / len(task) for task in asked for one, other in task]
    better, worse = sum(value > 0 for value in differences), sum(value < 0 for value in differences)
    gain = sum(differences) / len(asked) if asked else 0.0
    return Paired(len(differences), gain, better, worse, sign_flip([value for value in differences if value]))


def sign_flip(differences: Sequence[float]) -> float:
    """Probability that random signs make a sum at least as far from 0 as these; 1 where there are none.

    Args:
        differences: none of them 0. They are counted in hundredths of the largest, to be exact.
    """
    largest = max(map(abs, differences), default=0.0)
    if not largest:
        return 1.0
    steps = [round(_FINEST * value / largest) for value in differences]
    unit = math.gcd(*steps)
    sizes, off = [abs(step) // unit for step in steps], abs(sum(steps)) // unit
    total = sum(sizes)
    if set(sizes) == {1}:
        return min(1.0, sum(math.comb(total, plus) for plus in range((total + off) // 2, total + 1)) / (1 << total - 1))
    if len(sizes) * total > _MOST:
        # Sums lie 2 apart: half of that is the correction for continuity.
        return math.erfc(max(0, off - 1) / math.sqrt(2 * sum(size * size for size in sizes)))
    chances = [1.0]
    """Of each sum of the sizes whose sign is plus."""
    for size in sizes:
        none = [0.0] * size
        chances = [(minus + plus) / 2 for minus, plus in zip([*chances, *none], [*none, *chances], strict=True)]
    # The signed sum is twice that of the pluses less the total.
    return min(1.0, 2 * sum(chances[-(-(total + off) // 2) :])) if off else 1.0
