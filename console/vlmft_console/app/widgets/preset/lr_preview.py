"""Learning-rate preview: the rate that a draft comes to, step by step."""

from __future__ import annotations

from functools import partial

from vlmft_console.app.widgets.base.chart import Chart
from vlmft_console.charts.derived import Formula
from vlmft_console.charts.spec import ChartSpec, Curve, Mark
from vlmft_console.presets.values import written
from vlmft_core.learning_rate import RatePlan, planned_rate
from vlmft_core.plan import Plan
from vlmft_core.preset import Preset


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
    rates = RatePlan(total, warmup, peak, preset.training.scheduler)
    end = Mark(warmup, None, "▲", "^", "caution", f"warm-up ends at {warmup:,}") if warmup else None
    return ChartSpec(
        "learning rate",
        curves=(Curve(preset.training.scheduler, Formula(partial(planned_rate, rates), 1, total)),),
        headline=f"peak {written(peak, plain=False)}",
        marks=(end,) if end else (),
        whole=(1, total),
        limit=total,
    )
