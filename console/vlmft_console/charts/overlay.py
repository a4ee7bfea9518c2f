"""Overlay chart: one metric of several runs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from itertools import accumulate

from vlmft_console.charts.derived import Rescaled
from vlmft_console.charts.run_charts import metric_chart
from vlmft_console.charts.spec import ChartSpec, Curve, Points, Unit
from vlmft_console.history.series import Series
from vlmft_console.history.state import RunState
from vlmft_console.sanitize import sanitize

MOST_RUNS = 8
"""Runs that can be told apart in one chart."""
_KNOTS = 500


def overlay_chart(runs: Sequence[tuple[str, RunState]], metric: str, unit: Unit = "step") -> ChartSpec:
    """One metric of up to `MOST_RUNS` runs; each has a colour, and a digit at its last point and in the legend.

    Args:
        runs: names and states. A run without the metric, or whose log does not tell `unit`, is left out, but keeps its
            digit.
        metric: a key of `CHARTS`, or the name of any series.
        unit: what x counts. `hours` are those spent in steps, evals and checkpoints left out.
    """
    chart = metric_chart(metric, *(state for _, state in runs))
    curves = []
    for index, (run, state) in enumerate(runs[:MOST_RUNS], 1):
        points = _over(chart.series(state), state, unit)
        if points is not None:
            curves.append(Curve(sanitize(run), points, chart.kind, f"run-{index}", str(index)))
    title = chart.compared or ", ".join(filter(None, (chart.blank.title, chart.unit)))
    return replace(chart.blank, title=title, curves=tuple(curves), unit=unit)


def _over(series: Series, state: RunState, unit: Unit) -> Points | None:
    if not series:
        return None
    if unit == "step":
        return series
    knots = _epochs(state) if unit == "epoch" else _hours(state)
    rising = knots[:1]
    for step, place in knots[1:]:
        if step > rising[-1][0] and place > rising[-1][1]:
            rising.append((step, place))
    return Rescaled(series, rising) if len(rising) > 1 else None


def _epochs(state: RunState) -> list[tuple[float, float]]:
    first, last = state.epochs.first, state.epochs.last
    if first is None or last is None:
        return []
    return [(step, epoch) for step, epoch in state.epochs.decimate(first[0], last[0], _KNOTS) if epoch is not None]


def _hours(state: RunState) -> list[tuple[float, float]]:
    spent = [(step, seconds) for step, seconds in state.step_s if seconds is not None]
    if not spent:
        return []
    steps = [step for step, _ in spent]
    logged_every = [after - before for before, after in zip([0.0, *steps], steps, strict=False)]
    seconds = accumulate(each * count for (_, each), count in zip(spent, logged_every, strict=True))
    knots = [(0.0, 0.0), *((step, total / 3600) for step, total in zip(steps, seconds, strict=True))]
    return [*knots[:: max(1, len(knots) // _KNOTS)], knots[-1]]
