"""Scatter of a figure that is measured again and again: its noise, and whether it has risen by more than that."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from itertools import pairwise

KEPT = 32
"""Newest values kept, and bends."""
WIDTHS = (1, 2, 4, 8, 16)
"""Values in a row whose means are looked through for the lowest level."""
NEWEST = (1, 2, 3, 4)
"""Newest values whose mean is compared with it."""
FEW = 5
"""Bends below which the noise is hardly known."""
LEAST = 0.002
"""Noise that every figure has."""
SIGMAS = 1.25
"""Standard deviations beside those that the number of comparisons asks for; found with `tests/bench/noise.py`."""
SINGLE = 1.5
"""More of them where the newest value stands alone: real logs have wilder ones than a normal distribution."""
WILD = 4.0
"""Usual bends that a wild one counts for, at most."""
CLEAR = 5.0
"""Standard deviations that a rise takes while there are few bends."""
AGREEING = 4
"""Newest values that are a level of their own where they lie close together."""
CLOSE = 0.25
"""How far they may lie apart, as a share of the height above the lowest."""


@dataclass(frozen=True, slots=True)
class Scatter:
    """The values so far. `next` makes that with one more; nothing here ever changes.

    Noise is how far a value lies from the middle between its neighbours (a bend), from the first rise on: the steep
    fall at the beginning is none. The lowest of many values is low by chance, so a rise is counted from the level at
    which the figure has surely been: the lowest mean of 1, 2, 4, … values in a row and what that may be too low by.
    """

    count: int = 0
    recent: tuple[float, ...] = ()
    """The newest values."""
    lows: tuple[float, ...] = ()
    """For each of `WIDTHS`, the lowest mean of so many values in a row; infinite where there are not as many."""
    bends: tuple[float, ...] = ()
    """In standard deviations of one value, unsigned."""

    def next(self, value: float) -> Scatter:
        """With one more."""
        recent = (*self.recent, value)[-KEPT:]
        means = [sum(recent[-width:]) / width if len(recent) >= width else math.inf for width in WIDTHS]
        lows = tuple(map(min, self.lows, means)) if self.lows else tuple(means)
        bends = self.bends
        if len(recent) > 2 and (bends or value > recent[-2]):
            # The middle between two neighbours scatters too.
            bend = abs(recent[-2] - (recent[-3] + value) / 2) / math.sqrt(1.5)
            bends = (*bends, bend)[-KEPT:]
        return replace(self, count=self.count + 1, recent=recent, lows=lows, bends=bends)

    @property
    def few(self) -> bool:
        """Whether there is too little to know the noise by."""
        return len(self.bends) < FEW

    def noise(self, newest: int = 0, wildest: int = 0) -> float:
        """Standard deviation of one value. The fewer bends, the higher it is taken to be; a wild one among many counts
        for `WILD` usual ones, or a jump would hide itself.

        Args:
            newest: newest bends that shall not count.
            wildest: largest of the others that shall not either.
        """
        ordered = sorted(self.bends[: max(0, len(self.bends) - newest)])
        number = len(ordered)
        most = WILD * ordered[number // 2] if number >= FEW else math.inf
        counted = [min(bend, most) for bend in ordered[: max(0, number - wildest)]]
        squares = LEAST * LEAST + sum(bend * bend for bend in counted)
        return math.sqrt(squares / (1 + len(counted))) * (1 + 0.5 / max(1, number))

    def risen(self, noise: float | None = None, more: float = 0.0) -> bool:
        """Whether the newest values surely lie above the lowest level.

        Args:
            noise: the standard deviation to go by, if not that of all values.
            more: standard deviations by which they must do so beside the usual ones.
        """
        noise = self.noise() if noise is None else noise
        for newest in NEWEST:
            if newest < self.count:
                margin = noise * self._chance(newest, more + SINGLE * (newest == 1))
                lows = zip(self.lows, WIDTHS, strict=True)
                lowest = min(low + noise * self._chance(width, more) for low, width in lows)
                if sum(self.recent[-newest:]) / newest - margin > lowest:
                    return True
        return False

    def _chance(self, width: int, more: float) -> float:
        """By how many standard deviations of one value the highest mean of `width` of them may be too high."""
        looks = max(self.count, 5) / width
        return (SIGMAS + more + math.sqrt(2 * math.log(max(1.0, looks)))) / math.sqrt(width)

    def lasting(self, share: float) -> bool:
        """Whether the newest values agree on a level of their own, each of them further than `share` above the lowest
        value and most values since that below all of them: however wild the run was before, this is no noise."""
        newest = self.recent[-AGREEING:]
        lowest = self.lows[0] if self.lows else 0.0
        if self.count <= AGREEING or min(newest) - lowest <= share:
            return False
        if max(newest) - min(newest) >= CLOSE * (sum(newest) / len(newest) - lowest):
            return False
        before = self.recent[: -len(newest)]
        since = before[before.index(lowest) + 1 :] if lowest in before else before
        return 2 * sum(value < min(newest) for value in since) >= len(since)

    def twice(self, share: float) -> bool:
        """Whether the two newest values lie further than `share` above the lowest."""
        return self.count > 2 and min(self.recent[-2:]) - self.lows[0] > share

    def clearly(self, share: float, alone: float) -> bool:
        """Whether a rise is so large that it counts although the noise is hardly known yet: two values that on average
        are further than `share`, or one that is further than `alone`, above what two in a row came to before. The
        widest bend may be the turn from the fall to this rise."""
        one = self.recent[-1] - _low(self.recent[:-1]) if self.count > 1 else 0.0
        if one > max(alone, CLEAR * self.noise(1, wildest=1)):
            return True
        two = sum(self.recent[-2:]) / 2 - _low(self.recent[:-2]) if self.twice(0.75 * share) else 0.0
        return two > max(share, CLEAR * self.noise(2, wildest=1))


def _low(values: tuple[float, ...]) -> float:
    """The lowest mean of two in a row; the value, where there is one."""
    return min((sum(pair) / 2 for pair in pairwise(values)), default=values[0])
