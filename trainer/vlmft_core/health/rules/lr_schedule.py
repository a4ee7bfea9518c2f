"""Learning rate rule: `lr_off_schedule`."""

from __future__ import annotations

import math

from vlmft_core.figures import figure
from vlmft_core.health.finding import CAUTION, Advice
from vlmft_core.health.health_state import HealthState
from vlmft_core.health.rule import Rule, Verdict, percent
from vlmft_core.health.stretch import Stretch
from vlmft_core.health.thresholds import Settings
from vlmft_core.learning_rate import RatePlan, planned_rate, rate_plan
from vlmft_core.run_folder.events import Record


class LrOffSchedule(Rule):
    """The learning rate is not the planned one. Silent for logs without a plan."""

    name = "lr_off_schedule"

    def __init__(self, settings: Settings) -> None:
        self._share = settings.lr_deviation
        self._window = settings.window
        self._plan: RatePlan | None = None
        self._allowed = 0.0
        self._slope = 0.0
        """Most that the planned rate changes in one step; …"""
        self._slope_after_warmup = 0.0
        """… in one after the warm-up: far less, in nearly all steps."""
        self._near = (0, 0.0)
        """A step and its planned rate."""
        self._next_near = self._near
        """The same after the stretch that `quiet` was last asked about."""
        self._off = 0
        """Logged steps in a row off the plan."""
        self._seen: tuple[int, float, float] = (0, 0.0, 0.0)
        """Step, rate and planned rate of the newest one off it."""
        self._skipped = 0

    def on_plan(self, state: HealthState) -> None:
        self._plan = plan = rate_plan(state.plan)
        if plan is not None:
            self._allowed = self._share * plan.peak_lr
            rise, fall = 1 / max(1, plan.warmup_steps), math.pi / 2 / max(1, plan.total_steps - plan.warmup_steps)
            self._slope, self._slope_after_warmup = plan.peak_lr * max(rise, fall), plan.peak_lr * fall
            self._near = (1, planned_rate(plan, 1))

    def on_step(self, record: Record, state: HealthState) -> bool:
        rate, plan, step = record["lr"], self._plan, record["step"]
        if plan is None or rate is None:
            return False
        near, wanted = self._near
        # The plan cannot have gone further than this since `near`: most steps need no cosine.
        if not self._off and abs(rate - wanted) + self._slope * abs(step - near) <= self._allowed:
            return False
        wanted = planned_rate(plan, step)
        self._near = (step, wanted)
        if -self._allowed <= rate - wanted <= self._allowed:
            was, self._off = self._off, 0
            return was > 0
        self._seen = (step, rate, wanted)
        skipped = record.get("skipped_steps")
        self._skipped = skipped if type(skipped) is int else 0
        self._off += 1
        return self._off % self._window == 1

    def quiet(self, stretch: Stretch, state: HealthState) -> bool:
        self._next_near = self._near
        plan = self._plan
        if plan is None:
            return True
        warm = min(stretch.steps[0], self._near[0]) > plan.warmup_steps
        slope, allowed = self._slope_after_warmup if warm else self._slope, self._allowed
        # Where the plan hardly changes from the first step to the last, all of them are as near to it as the two ends.
        near, wanted = stretch.steps[0], planned_rate(plan, stretch.steps[0])
        furthest = max(max(stretch.rates) - wanted, wanted - min(stretch.rates))
        if furthest + slope * (stretch.steps[-1] - near) <= allowed:
            self._next_near = near, wanted
            return not self._off
        near, wanted = self._near
        for step, rate in zip(stretch.steps, stretch.rates, strict=True):
            if abs(rate - wanted) + slope * abs(step - near) > allowed:
                near, wanted = step, planned_rate(plan, step)
                if not -allowed <= rate - wanted <= allowed:
                    return False
        self._next_near = near, wanted
        return not self._off

    def skip(self, stretch: Stretch, state: HealthState) -> None:
        self._near = self._next_near

    def rewind(self) -> None:
        self._off = 0

    def diagnose(self, state: HealthState) -> Verdict | None:
        if not self._off:
            return None
        step, rate, wanted = self._seen
        message = (
            f"learning rate {figure(rate)} at step {step:,}, where the plan has {figure(wanted)}:"
            f" {percent(abs(rate - wanted) / self._allowed * self._share)} of the peak apart"
        )
        if self._skipped > 0:
            message += f"; {self._skipped:,} steps were skipped"
        text = "A resume under another plan and skipped steps do this: the schedule no longer ends where it should."
        return Verdict(CAUTION, message, Advice(text))
