"""The learning rate that a draft comes to, step by step."""

from __future__ import annotations

from vlmft_console.app.widgets.base.chart import Chart
from vlmft_console.charts.spec import ChartSpec, Curve, Mark
from vlmft_console.history.series import Series
from vlmft_console.presets.values import written
from vlmft_core.learning_rate import RatePlan, planned_rate
from vlmft_core.plan import Plan
from vlmft_core.preset import Preset

POINTS = 400
"""Points of the curve at most; the schedules are smooth but for the end of the warm-up, which is always one."""


class LrPreview(Chart):
    """The planned course of the learning rate."""

    def show_plan(self, preset: Preset, plan: Plan) -> None:
        """Show the schedule of a plan; nothing where its steps are unknown."""
        self.show(schedule_chart(preset, plan))


def schedule_chart(preset: Preset, plan: Plan) -> ChartSpec:
    """The learning rate that each update uses, over all steps."""
    total, warmup, peak = plan.total_steps, plan.warmup_steps, preset.training.learning_rate
    if total is None or warmup is None:
        return ChartSpec("learning rate", headline="the number of steps is unknown")
    planned, series = RatePlan(total, warmup, peak, preset.training.scheduler), Series()
    steps = {round(1 + (total - 1) * number / POINTS) for number in range(POINTS + 1)}
    for step in sorted(steps | {min(warmup + 1, total)}):
        series.append(step, planned_rate(planned, step))
    end = Mark(warmup, None, "▲", "^", "caution", f"warm-up ends at {warmup:,}") if warmup else None
    return ChartSpec(
        "learning rate",
        curves=(Curve(preset.training.scheduler, series),),
        headline=f"peak {written(peak, plain=False)}",
        marks=(end,) if end else (),
        whole=(1, total),
        limit=total,
    )
