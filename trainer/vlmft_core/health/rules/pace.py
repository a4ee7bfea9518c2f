"""Pace rules, by the records' own clocks: `stalled`, `slow_data`."""

from __future__ import annotations

import statistics
from collections import deque
from functools import reduce
from operator import add, sub

from vlmft_core.health import advice
from vlmft_core.health.figures import number
from vlmft_core.health.finding import CAUTION, STOP, Advice
from vlmft_core.health.health_state import HealthState
from vlmft_core.health.rule import Rule, Verdict, percent
from vlmft_core.health.stretch import Stretch
from vlmft_core.health.thresholds import Settings
from vlmft_core.run_folder.events import EVAL, HEARTBEAT, RUN_START, Record

FEW = 3
"""Step times that make a median."""
RECENT = 50
"""Step times it is taken from."""


class Stalled(Rule):
    """No new step for much longer than a step takes while heartbeats go on; or a silence in which even those stopped.

    Records tell only afterwards: a silence is found when the next record comes, and is over with the next step.
    """

    name = "stalled"

    def __init__(self, settings: Settings) -> None:
        self._silence = settings.heartbeat_seconds
        self._times = settings.stall_steps
        self._last: float | None = None
        self._last_step: float | None = None
        self._intervals: deque[float] = deque(maxlen=RECENT)
        self._beats = False
        self._gap = 0.0
        """Seconds of the silence that ended with the newest record, or before it with no step since."""
        self._waited = 0.0
        """Seconds without a step, heartbeats going on."""
        self._next: tuple[float, float, tuple[float, ...]] = (0.0, 0.0, ())
        """Last time of all, last time of a step and the intervals, of the stretch `quiet` was last asked about."""

    def on_step(self, record: Record, state: HealthState) -> bool:
        now = record.get("mono")
        if type(now) is not float and (now := _clock(record)) is None:
            return False
        last, before = self._last, self._last_step
        if last is None or not last <= now <= last + self._silence or self._gap or self._waited:
            return self._unusual_step(now)
        self._last = self._last_step = now
        if before is not None:
            self._intervals.append(now - before)
        return False

    def _unusual_step(self, now: float) -> bool:
        """The first, or one that ends a silence or a stall, or comes after one."""
        asked = self._gap > 0 or self._waited > 0
        self._gap = self._waited = 0.0
        asked |= self._after(now)
        self._last_step = now
        return asked

    def on_eval(self, record: Record, state: HealthState) -> bool:
        return self.on_other(record, state)

    def on_other(self, record: Record, state: HealthState) -> bool:
        event, now = record["event"], _clock(record)
        if event == RUN_START:
            self.rewind()
            self._beats = False
        if now is None:
            return False
        asked = self._after(now)
        if event == HEARTBEAT:
            self._beats = True
            asked |= self._beat(record, now)
        elif event == EVAL and self._last_step is not None:
            self._last_step = now  # the time of an eval is no step's
        return asked

    def quiet(self, stretch: Stretch, state: HealthState) -> bool:
        found = stretch.clocks()
        if found is None or self._last is None or self._gap or self._waited:
            return False
        clocks, of_steps = found
        passed = list(map(sub, clocks, [self._last, *clocks]))
        if not min(passed) >= 0 or not max(passed) < 0.999 * self._silence:
            return False
        before = [] if self._last_step is None else [self._last_step]
        self._next = clocks[-1], of_steps[-1], tuple(map(sub, [*before, *of_steps][1:], [*before, *of_steps]))
        longest = max(*self._next[2], clocks[-1] - of_steps[-1])
        return not stretch.beats or longest < 0.999 * self._silence / 6

    def skip(self, stretch: Stretch, state: HealthState) -> None:
        self._last, self._last_step, intervals = self._next
        self._intervals.extend(intervals)
        self._beats = self._beats or stretch.beats

    def _after(self, now: float) -> bool:
        """The clock has come to `now`. True if there was a silence before."""
        last, self._last = self._last, now
        if last is None:
            return False
        if now < last:  # another clock
            self._last_step = None
            self._intervals.clear()
            return False
        if self._beats and now - last > self._silence:
            self._gap = now - last
            return True
        return False

    def _beat(self, record: Record, now: float) -> bool:
        if self._last_step is None or len(self._intervals) < FEW or record.get("phase", "step") != "step":
            return False
        waited = now - self._last_step
        was = self._waited
        if waited > max(self._times * statistics.median(self._intervals), self._silence / 6):
            self._waited = waited
        return self._waited != was

    def rewind(self) -> None:
        self._last = self._last_step = None
        self._intervals.clear()
        self._gap = self._waited = 0.0

    def diagnose(self, state: HealthState) -> Verdict | None:
        if self._gap:
            message = f"no heartbeat for {self._gap:.0f} s: the training program was stopped or gone"
            return Verdict(STOP, message, Advice("See what stopped it: the machine's load, its log, a full disk."))
        if self._waited:
            usual = statistics.median(self._intervals)
            message = f"no step for {self._waited:.0f} s, where one is logged every {usual:.3g} s; heartbeats go on"
            return Verdict(CAUTION, message, Advice("A rank may hang: look at the plain log and at the GPUs."))
        return None


class SlowData(Rule):
    """Much of a step is spent waiting for data."""

    name = "slow_data"

    def __init__(self, settings: Settings) -> None:
        self._limit = settings.slow_data
        self._window = settings.window
        self._count = 0
        self._waiting = self._total = 0.0
        """Seconds in the window that is being filled."""
        self._share = 0.0
        """In the last full window."""
        self._next = (0, 0.0, 0.0, 0.0)
        """The four of them after the stretch that `quiet` was last asked about."""

    def on_step(self, record: Record, state: HealthState) -> bool:
        waiting, total = record.get("data_s"), record.get("step_s")
        if type(waiting) is not float or type(total) is not float:
            return False
        self._waiting += waiting
        self._total += total
        self._count += 1
        if self._count % self._window:
            return False
        was, self._share = self._share, self._waiting / self._total if self._total > 0 else 0.0
        self._waiting = self._total = 0.0
        return max(was, self._share) > self._limit

    def quiet(self, stretch: Stretch, state: HealthState) -> bool:
        waiting, total = stretch.column("data_s"), stretch.column("step_s")
        kinds = set(map(type, waiting)) | set(map(type, total))
        self._next = self._count, self._waiting, self._total, self._share
        if kinds == {type(None)}:
            return True
        if kinds != {float} or self._share > self._limit:
            return False
        count, waited, took, share = self._next
        done, end = 0, count + len(waiting)
        while count < end:
            until = min(end, count - count % self._window + self._window)
            part = slice(done, done + until - count)
            # One by one, as `on_step` does: `sum` rounds otherwise.
            waited, took = reduce(add, waiting[part], waited), reduce(add, total[part], took)
            done, count = part.stop, until
            if not count % self._window:
                share = waited / took if took > 0 else 0.0
                if share > self._limit:
                    return False
                waited = took = 0.0
        self._next = count, waited, took, share
        return True

    def skip(self, stretch: Stretch, state: HealthState) -> None:
        self._count, self._waiting, self._total, self._share = self._next

    def rewind(self) -> None:
        self._count = 0
        self._waiting = self._total = self._share = 0.0

    def diagnose(self, state: HealthState) -> Verdict | None:
        if self._share <= self._limit:
            return None
        message = f"{percent(self._share)} of the last {self._window} logged steps was spent waiting for data"
        return Verdict(CAUTION, message, advice.waiting_for_data(state))


def _clock(record: Record) -> float | None:
    """Monotonic seconds where the log has them, else unix seconds."""
    mono = record.get("mono")
    return mono if type(mono) is float else number(record.get("t"))
