"""Scatter of a figure that is measured again and again: its noise, and whether it has risen by more than that."""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

KEPT = 32
"""Newest values kept, and bends."""
WIDTHS = (1, 2, 4, 8, 16)
"""Values in a row whose means are looked through for the lowest level."""
NEWEST = (1, 2, 3, 4, 6, 8, 12, 16)
"""Newest values whose mean is compared with it."""
FEW = 5
"""Bends below which the noise is hardly known."""
LEAST = 0.002
"""Noise that every figure has."""
SIGMAS = 1.1
"""Standard deviations that a rise takes beside the logarithm of the number of values: a run is looked at as often as
that, and the lowest level sought among as many. Found with `tests/bench/noise.py`."""
YOUNG = 4
"""Values up to which the lowest is hardly low by chance alone."""
UNKNOWN = 4.0
"""How much higher a noise may be than so few bends say: by this many of it over the square of their number."""
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

    Noise is how far a value lies from the middle between its neighbours, or the next but one (a bend), from the first
    rise on: the steep fall at the beginning bends by itself.

    A rise is the difference of two means: of the newest 1, 2, 3, … values, and of the lowest 1, 2, 4, … in a row before
    them. While a figure falls or stays level no such difference lies above zero but by chance.
    """

    count: int = 0
    recent: tuple[float, ...] = ()
    """The newest values."""
    lows: tuple[float, ...] = (math.inf,) * len(WIDTHS)
    """For each of `WIDTHS`, the lowest mean of so many values in a row; infinite where there are not as many."""
    before: tuple[tuple[float, ...], ...] = ()
    """`lows` as they were before each of the newest values."""
    bends: tuple[float, ...] = ()
    """From the nearest neighbours, in standard deviations of one value, unsigned."""
    wide: tuple[float, ...] = ()
    """The same from the next but one."""
    level: int = 0
    """Bends since the first rise."""

    def next(self, value: float) -> Scatter:
        """With one more."""
        recent = (*self.recent, value)[-KEPT:]
        means = [sum(recent[-width:]) / width if len(recent) >= width else math.inf for width in WIDTHS]
        bends, wide, level = self.bends, self.wide, self.level
        if len(recent) > 2:
            bends = (*bends, _bend(recent[-3], recent[-2], value))[-KEPT:]
            level += bool(level or value > recent[-2])
        if len(recent) > 4:
            wide = (*wide, _bend(recent[-5], recent[-3], value))[-KEPT:]
        return Scatter(
            self.count + 1,
            recent,
            tuple(map(min, self.lows, means)),
            (*self.before, self.lows)[-NEWEST[-1] :],
            bends,
            wide,
            level,
        )

    @property
    def few(self) -> bool:
        """Whether there is too little to know the noise by since the first rise."""
        return self.level < FEW

    @property
    def fewer(self) -> bool:
        """Whether there is too little even with the fall before it."""
        return len(self.bends) < FEW

    def noise(self, newest: int = 0, wildest: int = 0) -> float:
        """Standard deviation of one value. A wild bend among many counts for `WILD` usual ones, or a jump would hide
        itself.

        Args:
            newest: newest bends of each kind that shall not count.
            wildest: largest of the others that shall not either.
        """
        return self._noise(self.level, newest, wildest)

    def sure_noise(self, newest: int = 0) -> float:
        """`noise`, higher by what it may be measured too low: the fewer bends, the more. A smooth fall at the beginning
        tells of it, too: no figure scatters by more than it bends."""
        return min(
            self._noise(known, newest) * (1 + UNKNOWN / max(1, min(known, len(self.bends)) - newest) ** 2)
            for known in (self.level, len(self.bends))
        )

    def _noise(self, known: int, newest: int, wildest: int = 0) -> float:
        """By the last `known` bends of each kind."""
        kinds = [bends[max(0, len(bends) - known) : max(0, len(bends) - newest)] for bends in (self.bends, self.wide)]
        ordered = sorted(itertools.chain(*kinds))
        number = len(ordered)
        most = WILD * ordered[number // 2] if number >= FEW else math.inf
        counted = [min(bend, most) for bend in ordered[: max(0, number - wildest)]]
        squares = LEAST * LEAST + sum(bend * bend for bend in counted)
        return math.sqrt(squares / (1 + len(counted)))

    def risen(self, noise: float | None = None, more: float = 0.0) -> bool:
        """Whether the newest values surely lie above a lower level before them.

        Args:
            noise: the standard deviation to go by, if not that of all values.
            more: standard deviations by which they must do so beside the usual ones.
        """
        noise = self.sure_noise() if noise is None else noise
        usual = SIGMAS + math.log(max(YOUNG, self.count))
        for newest in NEWEST:
            if newest >= self.count or newest > len(self.recent):
                break
            limit = usual + more + SINGLE * (newest == 1)
            level = sum(self.recent[-newest:]) / newest
            for low, width in zip(self.before[-newest], WIDTHS, strict=True):
                if level - low > limit * noise * math.sqrt(1 / newest + 1 / width):
                    return True
        return False

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
        are further than `share`, or one that is further than `alone`, above what two in a row came to before; more for
        the lowest of more values. The widest bend may be the turn from the fall to this rise."""
        longer = max(1.0, self.count / YOUNG)
        share, alone = share * longer, alone * longer
        one = self.recent[-1] - _low(self.recent[:-1]) if self.count > 1 else 0.0
        if one > max(alone, CLEAR * self.noise(1, wildest=1)):
            return True
        two = sum(self.recent[-2:]) / 2 - _low(self.recent[:-2]) if self.twice(0.75 * share) else 0.0
        return two > max(share, CLEAR * self.noise(2, wildest=1))


def _bend(left: float, middle: float, right: float) -> float:
    """How far a value lies from the middle between two others, which scatters too, in standard deviations of one."""
    return abs(middle - (left + right) / 2) / math.sqrt(1.5)


def _low(values: tuple[float, ...]) -> float:
    """The lowest mean of two in a row; the value, where there is one."""
    return min((sum(pair) / 2 for pair in pairwise(values)), default=values[0])


def risen_together(scatters: Sequence[Scatter], more: float) -> bool:
    """Whether figures that were measured at the same time have surely risen, as one: each in standard deviations of its
    own, summed. Where they scatter alike, the noise of the sum is higher than that of figures that do not, so it is
    measured anew.

    Args:
        scatters: of as many values each.
        more: as that of `Scatter.risen`.
    """
    units = [one.noise() for one in scatters]
    summed = Scatter()
    for values in zip(*(one.recent for one in scatters), strict=True):
        summed = summed.next(sum(value / unit for value, unit in zip(values, units, strict=True)))
    unknown = 1 + UNKNOWN / max(1, min(one.level for one in scatters)) ** 2
    noise = max(summed.sure_noise(), math.sqrt(len(scatters)) * unknown)
    return replace(summed, count=scatters[0].count).risen(noise, more)
