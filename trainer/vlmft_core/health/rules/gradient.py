"""Gradient norm rule: `grad_high`."""

from __future__ import annotations

import math
from bisect import bisect_left, insort
from collections import deque
from collections.abc import Collection, Iterable
from itertools import islice
from operator import ge, lt

from vlmft_core.figures import figure
from vlmft_core.health import advice
from vlmft_core.health.finding import CAUTION, STOP
from vlmft_core.health.health_state import HealthState
from vlmft_core.health.rule import Rule, Verdict
from vlmft_core.health.stretch import Stretch
from vlmft_core.health.thresholds import Settings
from vlmft_core.run_folder.events import Record

LOOK_EVERY = 10
"""Logged steps between two looks: sorting a window at each step would cost too much."""
KEPT_LEVELS = 200
"""Windows that make the run's own level."""
HARM = 1.1
"""A train loss so many times the lowest of the windows before is harmed."""
BACK = 0.5
"""A rise is over below this share of what made it one: no flutter at the limit."""
CALM, RISEN, HARMFUL = range(3)


class GradHigh(Rule):
    """Gradients that rose for good, against what this run's own were: scales differ by model, and healthy runs have had
    single norms in the millions. Nothing is judged while the learning rate warms up.

    A caution takes a window of logged steps whose median is above `grad_caution` and `grad_rise` times the run's own; a
    stop one above `grad_stop`, and a train loss that rose with it.
    """

    name = "grad_high"

    def __init__(self, settings: Settings) -> None:
        self._size = settings.window
        self._caution = settings.grad_caution
        self._window: deque[float] = deque(maxlen=settings.window)
        self._rate = 0.0
        """The newest learning rate."""
        self._count = 0
        """Logged steps since the warm-up."""
        self._next_own = settings.window
        """`_count` from which the next window is kept."""
        self._own: deque[float] = deque(maxlen=KEPT_LEVELS)
        """Medians of the windows so far, those that had risen left out."""
        self._own_ordered: list[float] = []
        """The same, from low to high."""
        self._lowest = math.inf
        """Lowest mean train loss of those windows."""
        self._mean = 0.0
        """Mean train loss of the window that was last found high."""
        self._level = CALM

    def on_step(self, record: Record, state: HealthState) -> bool:
        value, rate = record["grad_norm"], record["lr"]
        if value is None:
            return False
        if rate is not None and rate != self._rate:
            if rate > self._rate and self._level == CALM:
                self._begin()  # still warming up
            self._rate = rate
        self._window.append(value)
        self._count = count = self._count + 1
        return not count % LOOK_EVERY and self._look(state, state.losses)

    def quiet(self, stretch: Stretch, state: HealthState) -> bool:
        if self._level == CALM and self._warms_up(stretch):
            return all(map(lt, stretch.rates, islice(stretch.rates, 1, None)))
        if (
            self._level != CALM
            or max(stretch.gradients) > self._caution
            or max(self._window, default=0) > self._caution
        ):
            return False
        return self._rate >= stretch.rates[0] and all(map(ge, stretch.rates, islice(stretch.rates, 1, None)))

    def _warms_up(self, stretch: Stretch) -> bool:
        """Whether a stretch that is quiet is one of the warm-up, after which everything begins anew."""
        return stretch.rates[0] > self._rate

    def skip(self, stretch: Stretch, state: HealthState) -> None:
        if self._warms_up(stretch):
            self._begin()
            self._window.append(stretch.gradients[-1])
            self._count, self._rate = 1, stretch.rates[-1]
            return
        self._rate = stretch.rates[-1]
        done, end = 0, self._count + len(stretch.gradients)
        # Nothing is high: all that is left to do is keep the windows that fall due.
        while (due := -(-self._next_own // LOOK_EVERY) * LOOK_EVERY) <= end:
            taken = done + due - self._count
            self._window.extend(stretch.gradients[done:taken])
            done, self._count = taken, due
            self._look(state, [*state.losses, *stretch.losses[:taken]][-self._size :])
        self._window.extend(stretch.gradients[done:])
        self._count = end

    def _begin(self) -> None:
        self._window.clear()
        self._count, self._next_own = 0, self._size

    def _look(self, state: HealthState, losses: Collection[float]) -> bool:
        """Judge a full window, and the train losses beside it. True when the verdict may have changed."""
        if len(self._window) < self._size:
            return False
        median, settings, was = _median(self._window), state.settings, self._level
        self._level = CALM
        limit = self.limit(settings)
        if limit is not None and median > limit * (BACK if was != CALM else 1):
            self._mean = sum(losses) / max(1, len(losses))
            self._level = HARMFUL if median > settings.grad_stop and self._mean > HARM * self._lowest else RISEN
        renew = self._count >= self._next_own
        if renew:
            self._next_own = self._count + self._size
            if self._level == CALM:
                self._keep(median)
                self._lowest = min(self._lowest, sum(losses) / len(losses)) if losses else self._lowest
        return self._level != was or (renew and self._level != CALM)

    def limit(self, settings: Settings) -> float | None:
        """The median over a window from which the norm is too high; None while the run's own is not known yet."""
        return max(settings.grad_caution, settings.grad_rise * self._own_median) if self._own else None

    @property
    def _own_median(self) -> float:
        return self._own_ordered[len(self._own_ordered) // 2] if self._own_ordered else math.inf

    def _keep(self, median: float) -> None:
        own, ordered = self._own, self._own_ordered
        if len(own) == own.maxlen:
            del ordered[bisect_left(ordered, own[0])]
        own.append(median)
        insort(ordered, median)

    def rewind(self) -> None:
        self._begin()
        self._level = CALM

    def diagnose(self, state: HealthState) -> Verdict | None:
        if self._level == CALM:
            return None
        median = _median(self._window)
        message = (
            f"grad_norm has a median of {figure(median)} over {self._size} logged steps; the run's own is"
            f" {figure(self._own_median)}"
        )
        if self._level == HARMFUL:
            message += f"; train loss rose from {figure(self._lowest)} to {figure(self._mean)} with it"
        look = advice.diverging(state, "Look at the data of these steps.")
        return Verdict(STOP if self._level == HARMFUL else CAUTION, message, look)


def _median(values: Iterable[float]) -> float:
    """The upper one of the middle two, where there are two."""
    ordered = sorted(values)
    return ordered[len(ordered) // 2]
