"""Runs laid over each other in one chart: none of them is left out of the picture."""

from __future__ import annotations

from itertools import combinations
from pathlib import Path

import pytest

from tests.records import step
from vlmft_console.charts.draw import draw
from vlmft_console.charts.overlay import overlay_chart
from vlmft_console.charts.run_charts import CHARTS
from vlmft_console.charts.smoothing import smooth
from vlmft_console.charts.spec import Unit
from vlmft_console.charts.view import View
from vlmft_console.history.loading import ReadLog, read_log
from vlmft_console.history.state import RunState

LOGS = Path(__file__).parents[2] / "logs"
NAMES = ("diverging", "healthy", "overfitting", "resumed")


@pytest.fixture(scope="module")
def samples() -> list[ReadLog]:
    runs = [read_log(LOGS / name) for name in NAMES]
    for run in runs:
        smooth(run.state)
    return runs


@pytest.mark.parametrize("size", [(40, 7), (80, 14), (199, 50)])
def test_a_run_that_ends_early_is_in_the_picture_however_far_its_losses_are_from_those_of_the_other(
    size: tuple[int, int],
) -> None:
    long, short = RunState(), RunState()
    long.apply_all([step(number, 6.0 * 0.99**number) for number in range(1, 2001)])
    short.apply_all([step(number, 9.0 + number % 2) for number in range(1, 101)])
    for state in (long, short):
        smooth(state)
    rows = [row[8:] for row in draw(overlay_chart([("long", long), ("short", short)], "loss"), View(), *size).lines()]
    assert all(any(tag in row for row in rows[1:-2]) for tag in "12")


@pytest.mark.parametrize("unit", ["step", "epoch", "hours"])
@pytest.mark.parametrize("metric", CHARTS)
def test_every_run_that_has_the_metric_is_in_the_picture(samples: list[ReadLog], metric: str, unit: Unit) -> None:
    for several in (*combinations(samples, 2), *combinations(samples, 3), samples):
        spec = overlay_chart([(run.name, run.state) for run in several], metric, unit)
        rows = [row[8:] for row in draw(spec, View(), 80, 14).lines()[1:-2]]
        for curve in spec.curves:
            assert any(curve.tag in row for row in rows), f"{curve.label} of {[run.name for run in several]}"
