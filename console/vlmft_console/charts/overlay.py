"""Overlay chart: one metric of several runs."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import replace
from itertools import accumulate
from typing import Final

from vlmft_console.charts.derived import Rescaled
from vlmft_console.charts.run_charts import metric_chart
from vlmft_console.charts.spec import ChartSpec, Curve, Points, Unit
from vlmft_console.history.series import Series
from vlmft_console.history.state import RunState
from vlmft_console.sanitize import sanitize

MOST_RUNS: Final = 8
"""Runs that can be told apart in one chart."""
_KNOTS: Final = 500
_GROWN: Final = 1.01
"""A run that has grown by less goes straight on where its known places end."""

Knots = list[tuple[float, float]]
"""Steps and what they are on another scale, both rising."""


class Timelines:
    """At which epoch and hour each step of some runs was; worked out anew only where a run has grown enough."""

    def __init__(self) -> None:
        self._known: dict[tuple[int, Unit], tuple[Series, int, int, Knots]] = {}

    def of(self, number: int, state: RunState, unit: Unit) -> Knots:
        """The knots of a run, or fewer than two where its log does not tell.

        Args:
            number: of the run.
            state: the run.
            unit: `epoch`, or `hours` spent in steps, evals and checkpoints left out.
        """
        source = state.epochs if unit == "epoch" else state.step_s
        points, starts = len(source), len(state.segments)
        before = self._known.get((number, unit))
        if before is not None and before[:2] == (source, starts) and before[2] <= points <= _GROWN * before[2]:
            return before[3]
        knots = _rising(_epochs(state) if unit == "epoch" else _hours(state))
        self._known[number, unit] = source, starts, points, knots
        return knots


def overlay_chart(
    runs: Sequence[tuple[str, RunState]],
    metric: str,
    unit: Unit = "step",
    *,
    hidden: Collection[int] = (),
    pinned: int | None = None,
    timelines: Timelines | None = None,
    beside: tuple[float, float] | None = None,
) -> ChartSpec:
    """One metric of up to `MOST_RUNS` runs; each has a colour, and a digit at its last point and in the legend.

    Args:
        runs: names and states. A run without the metric, or whose log does not tell `unit`, is left out, but keeps its
            digit. One without a name has no entry in the legend.
        metric: a key of `CHARTS`, or the name of any series.
        unit: what x counts. `hours` are those spent in steps, evals and checkpoints left out.
        hidden: runs that are left out, counted from 0.
        pinned: the run that the others are held against, drawn over them.
        timelines: of these runs, where the chart is drawn again and again.
        beside: as `extent_of` has it, where charts of several metrics are to show the same range of x.
    """
    chart = metric_chart(metric, *(state for _, state in runs))
    timelines = timelines or Timelines()
    curves = []
    for index, (run, state) in enumerate(runs[:MOST_RUNS]):
        series = chart.series(state)
        if index in hidden or not series:
            continue
        points = _over(series, [] if unit == "step" else timelines.of(index, state, unit), unit)
        if points is not None:
            tag = str(index + 1)
            curves.append(Curve(sanitize(run), points, chart.kind, f"run-{tag}", tag))
    pin = "" if pinned is None else str(pinned + 1)
    title = chart.compared or ", ".join(filter(None, (chart.blank.title, chart.unit)))
    if unit == "step" and all(state.health.unit == "record" for _, state in runs):
        unit = "record"
    in_order = sorted(curves, key=lambda curve: curve.tag == pin)  # the last one is drawn over the others
    return replace(chart.blank, title=title, curves=tuple(in_order), unit=unit, pinned=pin, beside=beside)


def extent_of(
    states: Sequence[RunState], unit: Unit, timelines: Timelines, hidden: Collection[int] = ()
) -> tuple[float, float] | None:
    """Smallest and largest x of all that was measured in these runs; None where that is nothing.

    Args:
        states: the runs.
        unit: what x counts.
        timelines: of these runs.
        hidden: runs that do not count, by number from 0.
    """
    found: list[float] = []
    for index, state in enumerate(states):
        if index in hidden:
            continue
        ends = Series()
        for x in sorted(end[0] for each in state.by_name.values() for end in (each.first, each.last) if end):
            ends.append(x, 0.0)
        points = _over(ends, [] if unit == "step" else timelines.of(index, state, unit), unit)
        found += [end[0] for end in (points.first, points.last) if end] if points and ends else []
    return (min(found), max(found)) if found else None


def _over(series: Points, knots: Knots, unit: Unit) -> Points | None:
    if unit == "step":
        return series
    return Rescaled(series, knots) if len(knots) > 1 else None


def _rising(knots: Knots) -> Knots:
    rising = knots[:1]
    for step, place in knots[1:]:
        if step > rising[-1][0] and place > rising[-1][1]:
            rising.append((step, place))
    return rising


def _epochs(state: RunState) -> Knots:
    first, last = state.epochs.first, state.epochs.last
    if first is None or last is None:
        return []
    return [(step, epoch) for step, epoch in state.epochs.decimate(first[0], last[0], _KNOTS) if epoch is not None]


def _hours(state: RunState) -> Knots:
    spent = [(step, seconds) for step, seconds in state.step_s if seconds is not None]
    if not spent:
        return []
    steps = [step for step, _ in spent]
    logged_every = [after - before for before, after in zip([0.0, *steps], steps, strict=False)]
    seconds = accumulate(each * count for (_, each), count in zip(spent, logged_every, strict=True))
    knots = [(0.0, 0.0), *((step, total / 3600) for step, total in zip(steps, seconds, strict=True))]
    return [*knots[:: max(1, len(knots) // _KNOTS)], knots[-1]]
