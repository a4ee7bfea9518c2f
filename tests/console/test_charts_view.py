"""Which part of the data is seen, and over what range of values."""

from __future__ import annotations

import random

import pytest

from vlmft_console.charts.derived import Formula, Rescaled, RunningMedian
from vlmft_console.charts.draw import draw
from vlmft_console.charts.spec import ChartSpec, Curve, ReferenceLine
from vlmft_console.charts.ticks import log_ticks, ticks, x_label, x_ticks
from vlmft_console.charts.view import View, cross_moved, crossed, held_still, panned, window, zoomed
from vlmft_console.charts.y_range import fit
from vlmft_console.history.series import Series, Smoothed

COLUMNS = 100


def rising(last: int, every: int = 1) -> Series:
    made = Series()
    for step in range(every, last + 1, every):
        made.append(step, float(step))
    return made


def of(points: Series | Formula | Rescaled, **fields: object) -> ChartSpec:
    return ChartSpec("Chart", (Curve("curve", points),), **fields)


@pytest.mark.parametrize(
    ("low", "high", "labels"),
    [
        (0, 4e-5, ["0", "1e-5", "2e-5", "3e-5", "4e-5"]),
        (0, 1, ["0", "0.25", "0.50", "0.75", "1.00"]),
        (0, 2000, ["0", "500", "1,000", "1,500", "2,000"]),
        (0, 100_000, ["0", "25k", "50k", "75k", "100k"]),
        (0, 4e6, ["0", "1M", "2M", "3M", "4M"]),
        (-1, 1, ["-1.0", "-0.5", "0", "0.5", "1.0"]),
    ],
)
def test_ticks_are_round_and_short(low: float, high: float, labels: list[str]) -> None:
    assert [label for _, label in ticks(low, high, 4)] == labels


def test_where_only_integers_mean_something_only_they_are_labelled() -> None:
    assert [label for _, label in ticks(0, 10, 4, whole=True)] == ["0", "5", "10"]
    assert [label for _, label in ticks(74, 78, 8, whole=True)] == ["74", "75", "76", "77", "78"]
    assert [label for _, label in ticks(0, 100, 4, whole=True)] == ["0", "25", "50", "75", "100"]


def test_log_ticks_are_powers_of_ten_and_more_where_there_are_few() -> None:
    assert [label for _, label in log_ticks(-2, 2, 5)] == ["0.01", "0.1", "1", "10", "100"]
    assert [label for _, label in log_ticks(-1, 0.4, 5)] == ["0.1", "0.2", "0.5", "1", "2"]
    assert [label for _, label in log_ticks(4, 9, 5)] == ["1e4", "1e5", "1e6", "1e7", "1e8", "1e9"]


def test_places_on_the_x_axis_are_named_by_their_unit() -> None:
    assert [x_label(1234.0, "step"), x_label(1.5, "epoch"), x_label(2.25, "hours")] == ["1,234", "1.50", "2:15"]
    assert [x_label(seconds / 3600, "hours") for seconds in (0, 61, 599, 600)] == [
        "0:00:00",
        "0:01:01",
        "0:09:59",
        "0:10",
    ]


@pytest.mark.parametrize("hours", [0.004, 0.03, 0.4, 3.0, 26.0, 700.0, 1e5])
def test_labels_of_times_differ_and_stand_where_they_say(hours: float) -> None:
    found = x_ticks(0.0, hours, 6, "hours")
    labels = [label for _, label in found]
    assert 2 <= len(set(labels)) == len(labels) <= 8
    for place, label in found:
        parts = [int(part) for part in label.split(":")]
        said = sum(part * size for part, size in zip(parts, (3600, 60, 1), strict=False)) / 3600
        assert said == pytest.approx(place)


def test_a_new_point_seldom_moves_the_right_edge() -> None:
    points, edges = Series(), set()
    for step in range(1, 10_001):
        points.append(step, 1.0)
        seen = window(of(points), View(), COLUMNS)
        assert seen is not None
        assert seen[0] <= 0 < step <= seen[1]
        edges.add(seen[1])
    assert len(edges) < 60


def test_a_new_point_in_a_long_run_changes_few_characters() -> None:
    generator, points = random.Random(1), Series()
    for step in range(1, 100_001):
        points.append(step, 1 + generator.random())
    before = draw(of(points), View(), 58, 14)
    for step in range(100_001, 100_051):
        points.append(step, 1 + generator.random())
        after = draw(of(points), View(), 58, 14)
        assert sum(last - first for _, first, last in after.changes(before)) <= 20
        before = after


def test_the_window_never_goes_beyond_the_last_step_there_will_be() -> None:
    assert window(of(rising(90), limit=95.0), View(), 60) == (0.0, 95.0)


def test_a_log_that_begins_late_does_not_begin_at_zero() -> None:
    points = Series()
    for step in range(5000, 5100):
        points.append(step, 1.0)
    seen = window(of(points), View(), COLUMNS)
    assert seen is not None
    assert seen[0] == 5000


def test_zooming_halves_what_is_seen_and_follows_the_newest_point() -> None:
    spec, view = of(rising(1000)), View()
    whole = window(spec, view, COLUMNS)
    closer = zoomed(spec, view, COLUMNS, 0.5)
    seen = window(spec, closer, COLUMNS)
    assert whole is not None
    assert seen is not None
    assert seen[1] - seen[0] == pytest.approx((whole[1] - whole[0]) / 2)
    assert closer.follows
    assert seen[0] < 1000 <= seen[1]
    assert zoomed(spec, closer, COLUMNS, 2) == View()


def test_zooming_in_ends_at_a_few_steps() -> None:
    spec, view = of(rising(100_000)), View()
    for _ in range(40):
        view = zoomed(spec, view, COLUMNS, 0.5)
    assert view.span == 8


def test_panning_back_holds_still_and_panning_to_the_end_follows_again() -> None:
    spec = of(rising(1000))
    view = zoomed(spec, View(), COLUMNS, 0.25)
    back = panned(spec, view, COLUMNS, -0.5)
    assert not back.follows
    for _ in range(20):
        back = panned(spec, back, COLUMNS, 0.5)
    assert back.follows
    for _ in range(20):
        back = panned(spec, back, COLUMNS, -0.5)
    seen = window(spec, back, COLUMNS)
    assert seen is not None
    assert seen[0] == 0


def test_a_window_held_still_stays_while_data_come_in() -> None:
    points = rising(1000)
    view = held_still(of(points), View(), COLUMNS)
    seen = window(of(points), view, COLUMNS)
    for step in range(1001, 5000):
        points.append(step, 1.0)
    assert window(of(points), view, COLUMNS) == seen


def test_the_crosshair_moves_from_point_to_point_even_where_they_are_sparse() -> None:
    spec = of(rising(1000, every=250))
    view = crossed(spec, View(), COLUMNS, 10_000)
    assert view.cross == 1000
    places = [(view := cross_moved(spec, view, COLUMNS, -1)).cross for _ in range(5)]
    assert places == [750, 500, 250, 250, 250]


def test_the_window_comes_along_with_the_crosshair() -> None:
    spec = of(rising(1000))
    view = crossed(spec, View(span=100), COLUMNS, 1000)
    for _ in range(150):
        view = cross_moved(spec, view, COLUMNS, -1)
    seen = window(spec, view, COLUMNS)
    assert view.cross is not None
    assert seen is not None
    assert seen[0] <= view.cross <= seen[1]
    assert view.cross < 900


def test_the_range_of_values_ignores_a_few_wild_ones_but_not_a_slow_fall() -> None:
    wild, fall = Series(), Series()
    for step in range(1, 1001):
        wild.append(step, 1e9 if step == 500 else 1 + step % 10 / 10)
        fall.append(step, 10 / step**0.5)
    for points, highest in ((wild, 3.0), (fall, 11.0)):
        curve = Curve("curve", points)
        y_range = fit([(curve, points.decimate(0, 1000, 100))], (0, 1000), ChartSpec("Chart", (curve,)), False)
        assert y_range is not None
        assert y_range.low <= 1.0 < y_range.high <= highest


def test_the_average_does_not_stretch_the_range_after_a_spike() -> None:
    raw = Series()
    smooth = Smoothed(raw)
    for step in range(1, 401):
        for points in (raw, smooth):
            points.append(step, 50.0 if step == 308 else 1 + step % 10 / 10)
    curves = (Curve("train", raw, "raw"), Curve("EMA", smooth, "smooth"))
    drawn = [(curve, curve.points.decimate(0, 400, 100)) for curve in curves]
    y_range = fit(drawn, (0, 400), ChartSpec("Loss", curves), False)
    assert y_range is not None
    assert y_range.high <= 2.5


def test_a_reference_line_stretches_the_range_only_a_little() -> None:
    curve = Curve("curve", rising(10))
    for y, included in ((12.0, True), (500.0, False)):
        spec = ChartSpec("Chart", (curve,), references=(ReferenceLine(y, "limit"),))
        y_range = fit([(curve, curve.points.decimate(0, 10, 20))], (0, 10), spec, False)
        assert y_range is not None
        assert (y_range.high >= y) is included


def test_what_is_nearly_constant_is_drawn_from_zero_where_that_is_asked_for() -> None:
    points = Series()
    for step in range(100):
        points.append(step, 31 + step % 3)
    curve = Curve("curve", points)
    y_range = fit([(curve, points.decimate(0, 99, 20))], (0, 99), ChartSpec("Speed", (curve,), from_zero=True), False)
    assert y_range is not None
    assert y_range.low == 0


def test_a_formula_is_evaluated_only_where_it_is_drawn() -> None:
    asked: list[int] = []

    def square(step: int) -> float:
        asked.append(step)
        return step**2.0

    points = Formula(square, 1, 1_000_000).decimate(0, 2_000_000, 50)
    assert len(asked) <= 51
    assert points[0] == (1, 1)
    assert points[-1] == (1_000_000, 1e12)


def test_a_rescaled_series_keeps_its_values_and_moves_its_places() -> None:
    points = Rescaled(rising(100), [(0, 0.0), (50, 1.0), (100, 3.0)])
    assert points.first == (0.02, 1)
    assert points.last == (3.0, 100)
    assert points.nearest(2.0) == (2.0, 75)
    assert points.decimate(1.0, 3.0, 1) == [(1.0, 50), (3.0, 100)]
    assert points.quantiles(0, 1, 0, 1) == (1, 50)


def test_a_running_median_is_that_of_the_points_around_and_costs_by_the_column() -> None:
    asked = 0

    class Counting(Series):
        def nearest(self, x: float) -> tuple[float, float | None] | None:
            nonlocal asked
            asked += 1
            return super().nearest(x)

    points = Counting()
    for step in range(1, 100_001):
        points.append(step, 1e6 if step % 100 == 0 else 3.0 if step > 50_000 else 1.0)
    medians = RunningMedian(points).decimate(0, 100_000, 50)
    assert asked <= 50 * 4 + 1
    assert len(medians) == 50
    assert {y for x, y in medians if x < 46_000} == {1.0}
    assert {y for x, y in medians if x > 54_000} == {3.0}


def test_a_running_median_of_few_points_is_of_nine_and_keeps_the_gaps() -> None:
    points = Series()
    for step, value in enumerate([5, 1, 4, 2, 3, 9, 8, 6, 7, None, 2, 2], 1):
        points.append(step, value)
    medians = dict(RunningMedian(points).decimate(0, 12, 100))
    assert sorted(medians) == list(range(1, 13))
    assert medians[5] == 5
    assert medians[10] is None
    assert medians[12] == 6
