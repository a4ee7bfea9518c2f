"""Gradient norm rule: `grad_high`."""

from __future__ import annotations

import math
from bisect import bisect_left, insort
from collections import deque
from collections.abc import Iterable

from vlmft_core.health import advice
from vlmft_core.health.finding import CAUTION, STOP
from vlmft_core.health.health_state import HealthState
from vlmft_core.health.rule import Diagnosis, Rule
from vlmft_core.health.stretch import Stretch
from vlmft_core.health.thresholds import Settings
from vlmft_core.run_folder.events import Record

LOOK_EVERY = 10
"""Logged steps between two looks at a window that stays as it is: sorting at each step would cost too much."""
CALM, SPIKE, HIGH, RISEN = range(4)


class GradHigh(Rule):
    """Large gradients. One is a caution, however large: healthy runs have had norms in the millions.

    A stop takes a window that is high as a whole, and several times what the run's own windows were before.
    """

    name = "grad_high"

    def __init__(self, settings: Settings) -> None:
        self._size = settings.window
        self._caution = settings.grad_caution
        self._stop = settings.grad_stop
        self._window: deque[float] = deque(maxlen=settings.window)
        self._over_caution = 0
        self._over_stop = 0
        self._count = 0
        self._own: deque[float] = deque(maxlen=200)
        """Medians of the windows so far, those that had risen left out."""
        self._own_ordered: list[float] = []
        """The same, from low to high."""
        self._own_median = math.inf
        """Of those; infinite before the first."""
        self._next_own = settings.window
        """`_count` from which the next median is kept."""
        self._level = CALM
        self._spike = (0, 0.0)
        """Step and value of the newest single large one."""

    def on_step(self, record: Record, state: HealthState) -> bool:
        value = record["grad_norm"]
        if value is None:
            return False
        window, moved = self._window, False
        if len(window) == self._size and (oldest := window[0]) > self._caution:
            self._over_caution -= 1
            self._over_stop -= oldest > self._stop
            moved = True
        window.append(value)
        if value > self._caution:
            self._over_caution += 1
            moved = True
            if value > self._stop:
                self._over_stop += 1
                self._spike = (record["step"], value)
        count = self._count = self._count + 1
        if count % LOOK_EVERY and (not moved or (self._level >= HIGH and 3 * self._over_caution > self._size)):
            return False  # nothing moved, or what is high stays so
        return self._judge(state)

    def quiet(self, stretch: Stretch, state: HealthState) -> bool:
        return not self._over_caution and self._level == CALM and max(stretch.gradients) <= self._caution

    def skip(self, stretch: Stretch, state: HealthState) -> None:
        done, end = 0, self._count + len(stretch.gradients)
        # Nothing is high: all that is left to do is keep the medians that fall due.
        while (due := -(-self._next_own // LOOK_EVERY) * LOOK_EVERY) <= end:
            taken = due - self._count
            self._window.extend(stretch.gradients[done : done + taken])
            done, self._count = done + taken, due
            self._judge(state)
        self._window.extend(stretch.gradients[done:])
        self._count = end

    def _is_high(self) -> bool:
        """Whether half of a full window is over the limit; once high, a third will do: no flutter at the limit."""
        share = 3 if self._level >= HIGH else 2
        return len(self._window) == self._size and share * self._over_caution > self._size

    def _judge(self, state: HealthState) -> bool:
        looking, level = not self._count % LOOK_EVERY, SPIKE if self._over_stop else CALM
        if self._is_high():
            level = HIGH
            if 2 * self._over_stop > self._size:
                level = self._risen(state) if looking else max(self._level, HIGH)
        renew = looking and self._count >= self._next_own
        if renew:
            self._next_own = self._count + self._size
            if level != RISEN:
                self._keep(_median(self._window))
        changed = level != self._level
        self._level = level
        return changed or (renew and level != CALM)

    def _keep(self, median: float) -> None:
        own, ordered = self._own, self._own_ordered
        if len(own) == own.maxlen:
            del ordered[bisect_left(ordered, own[0])]
        own.append(median)
        insort(ordered, median)
        self._own_median = ordered[len(ordered) // 2]

    def _risen(self, state: HealthState) -> int:
        return RISEN if _median(self._window) > max(self._stop, state.settings.grad_rise * self._own_median) else HIGH

    def rewind(self) -> None:
        self._window.clear()
        self._over_caution = self._over_stop = 0
        self._level = CALM

    def diagnose(self, state: HealthState) -> Diagnosis | None:
        if self._level == CALM:
            return None
        if self._level == SPIKE:
            step, value = self._spike
            message = f"grad_norm {value:.4g} at step {step:,}, above {self._stop:g}"
        else:
            median = _median(self._window)
            limit = f"stop above {self._stop:g}" if self._level == RISEN else f"caution above {self._caution:g}"
            message = f"grad_norm has a median of {median:.4g} over {self._size} logged steps ({limit})"
            if len(self._own) > 1:
                message += f"; the run's own is {self._own_median:.4g}"
        look = advice.diverging(state, "Look at the data of these steps.")
        return Diagnosis(STOP if self._level == RISEN else CAUTION, message, look)


def _median(values: Iterable[float]) -> float:
    """The upper one of the middle two, where there are two."""
    ordered = sorted(values)
    return ordered[len(ordered) // 2]
