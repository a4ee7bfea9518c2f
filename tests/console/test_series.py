from __future__ import annotations

import math
import random
from array import array
from collections.abc import Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from vlmft_console.history.series import Point, Series, Smoothed

HUGE = 1.7e308
VALUES = st.one_of(st.none(), st.floats(allow_nan=False, allow_infinity=False), st.integers(-3, 3).map(float))
CURVES = st.lists(st.tuples(st.integers(0, 3), VALUES), max_size=200)
"""Steps as differences from the step before, and values."""


def series_of(points: list[Point], kind: Callable[[], Series] = Series) -> Series:
    series = kind()
    for x, y in points:
        series.append(x, y)
    return series


def placed(curve: list[tuple[int, float | None]], stride: int = 1) -> list[Point]:
    step, points = 0, []
    for difference, value in curve:
        step += difference * stride
        points.append((float(step), value))
    return points


def noise(count: int, seed: int = 1) -> list[Point]:
    values = random.Random(seed)
    return [(float(step), values.gauss(1.0, 0.1)) for step in range(count)]


def lowest_and_highest(points: list[Point], x0: float, x1: float, columns: int) -> dict[int, tuple[float, float]]:
    """What decimation has to keep, found by looking at every point."""
    scale = columns / (x1 - x0) if x1 > x0 else 0.0
    found: dict[int, list[float]] = {}
    for x, y in points:
        if x0 <= x <= x1 and y is not None:
            found.setdefault(min(int((x - x0) * scale), columns - 1), []).append(y)
    return {column: (min(values), max(values)) for column, values in found.items()}


@given(CURVES, st.integers(-10, 300), st.integers(0, 300), st.integers(1, 40), st.sampled_from([1, 7]))
def test_decimation_keeps_the_lowest_and_the_highest_of_every_column(
    curve: list[tuple[int, float | None]], x0: int, width: int, columns: int, stride: int
) -> None:
    points = placed(curve, stride)
    drawn = series_of(points).decimate(x0, x0 + width, columns)
    assert lowest_and_highest(drawn, x0, x0 + width, columns) == lowest_and_highest(points, x0, x0 + width, columns)
    assert [x for x, _ in drawn] == sorted(x for x, _ in drawn)
    assert len(drawn) <= 2 * columns
    assert set(drawn) <= set(points)


def test_every_part_of_a_long_curve_keeps_its_lowest_and_its_highest() -> None:
    chance = random.Random(3)
    points = [(x, None if chance.random() < 0.02 else y) for x, y in noise(5000)]
    points[2000:2200] = [(x, None) for x, _ in points[2000:2200]]
    series = series_of(points)
    for _ in range(100):
        x0, width, columns = chance.randrange(5000), chance.randrange(5000), chance.randrange(1, 200)
        drawn = series.decimate(x0, x0 + width, columns)
        assert lowest_and_highest(drawn, x0, x0 + width, columns) == lowest_and_highest(points, x0, x0 + width, columns)


@settings(max_examples=20)
@given(st.integers(0, 49_999), st.integers(1, 300))
def test_one_spike_among_very_many_points_is_kept(place: int, columns: int) -> None:
    points = FLAT.copy()
    points[place] = (float(place), 50.0)
    assert (float(place), 50.0) in series_of(points).decimate(0, 50_000, columns)


FLAT: list[Point] = [(float(step), 1.0) for step in range(50_000)]


def test_a_spike_that_comes_after_a_first_drawing_is_kept_too() -> None:
    series = series_of(noise(5000))
    series.decimate(0, 5000, 50)
    series.append(5000, 50.0)
    for x, y in noise(5000):
        series.append(5001 + x, y)
    assert (5000.0, 50.0) in series.decimate(0, 10_001, 50)
    assert series.high == 50.0


@given(CURVES, st.lists(st.integers(1, 50)))
def test_a_curve_drawn_while_it_grows_ends_as_one_drawn_at_once(
    curve: list[tuple[int, float | None]], sizes: list[int]
) -> None:
    points, grown, start = placed(curve), Series(), 0
    for size in [*sizes, len(points)]:
        part = points[start : start + size]
        start += size
        if all(y is not None for _, y in part):
            grown.extend(array("d", [x for x, _ in part]), array("d", [y for _, y in part if y is not None]))
        else:
            for x, y in part:
                grown.append(x, y)
        grown.decimate(0, 600, 20)
    whole = series_of(points)
    assert list(grown) == list(whole) == points
    assert grown.decimate(0, 600, 20) == whole.decimate(0, 600, 20)
    assert (grown.low, grown.high) == (whole.low, whole.high)


def test_the_two_points_of_a_column_come_in_the_order_they_happened() -> None:
    rising, falling = [(1.0, 1.0), (2.0, 2.0), (3.0, 3.0)], [(1.0, 3.0), (2.0, 2.0), (3.0, 1.0)]
    assert series_of(rising).decimate(0, 10, 1) == [(1.0, 1.0), (3.0, 3.0)]
    assert series_of(falling).decimate(0, 10, 1) == [(1.0, 3.0), (3.0, 1.0)]


def test_a_gap_stays_a_gap_where_there_is_room_to_show_it() -> None:
    series = series_of([(0.0, 1.0), (1.0, None), (2.0, 3.0), (3.0, math.nan), (4.0, math.inf), (5.0, 2.0)])
    assert series.decimate(0, 6, 6) == [(0.0, 1.0), (1.0, None), (2.0, 3.0), (3.0, None), (4.0, None), (5.0, 2.0)]
    assert series.decimate(0, 6, 3) == [(0.0, 1.0), (1.0, None), (2.0, 3.0), (3.0, None), (4.0, None), (5.0, 2.0)]
    assert series.decimate(0, 6, 1) == [(0.0, 1.0), (2.0, 3.0)]


@pytest.mark.parametrize("value", [None, 0.0, HUGE, -HUGE, 5e-324])
def test_a_curve_that_never_changes_is_drawn(value: float | None) -> None:
    series = series_of([(float(step), value) for step in range(1000)])
    assert series.low == series.high == value
    assert {y for _, y in series.decimate(0, 1000, 10)} == {value}
    assert series.quantiles(0, 1000, 0.01, 0.99) == (None if value is None else (value, value))


def test_an_empty_curve_has_nothing_to_show() -> None:
    series = Series()
    assert (len(series), series.first, series.last, series.low, series.high) == (0, None, None, None, None)
    assert series.decimate(0, 10, 5) == []
    assert series.nearest(3) is None
    assert series.quantiles(0, 10, 0, 1) is None
    assert series.superseded.decimate(0, 10, 5) == []


def test_a_range_of_one_step_and_one_beside_the_curve_are_drawn_without_harm() -> None:
    series = series_of([(1.0, 1.0), (5.0, 2.0), (5.0, 3.0)])
    assert series.decimate(5, 5, 4) == [(5.0, 2.0), (5.0, 3.0)]
    assert series.decimate(6, 9, 4) == []


def test_a_resumed_segment_supersedes_what_it_repeats() -> None:
    series = series_of([(float(step), 1.0) for step in range(1, 11)])
    series.rewind(6)
    series.append(7, 2.0)
    assert list(series)[-2:] == [(6.0, 1.0), (7.0, 2.0)]
    assert list(series.superseded) == [(7.0, 1.0), (8.0, 1.0), (9.0, 1.0), (10.0, 1.0)]
    assert series.high == 2.0
    assert series.superseded.high == 1.0


def test_a_superseded_spike_no_longer_counts() -> None:
    series = series_of([(float(step), 9.0 if step == 90 else 1.0) for step in range(200)])
    assert series.high == 9.0
    series.rewind(50)
    assert series.high == 1.0


def test_a_step_that_goes_back_never_draws_a_line_back_in_time() -> None:
    series = series_of([(1.0, 1.0), (2.0, 1.0), (3.0, 1.0), (2.0, 5.0), (3.0, 5.0)])
    assert list(series) == [(1.0, 1.0), (2.0, 5.0), (3.0, 5.0)]
    assert list(series.superseded) == [(2.0, 1.0), (3.0, 1.0)]


def test_parts_superseded_at_different_times_are_not_joined() -> None:
    series = series_of([(1.0, 1.0), (2.0, 1.0), (3.0, 1.0), (2.0, 2.0), (1.5, 3.0)])
    assert series.superseded.decimate(0, 4, 8) == [(2.0, 1.0), (3.0, 1.0), (3.0, None), (2.0, 2.0)]


def test_rewinding_past_the_end_changes_nothing() -> None:
    series = series_of(noise(10))
    series.rewind(100)
    assert (len(series), len(series.superseded), series.superseded.pieces) == (10, 0, 0)


@given(st.lists(st.one_of(st.tuples(st.integers(0, 20), VALUES), st.integers(0, 20)), max_size=60))
def test_a_curve_can_be_had_as_it_was_at_any_time(changes: list[tuple[int, float | None] | int]) -> None:
    series = Series()
    smooth = Smoothed(series)
    moments = []
    for change in changes:
        pieces = series.superseded.pieces
        if isinstance(change, int):
            moved = bool(len(series)) and series[-1][0] > change
            series.rewind(change)
            smooth.rewind(change)
            assert series.superseded.pieces - pieces == moved
        else:
            series.append(*change)
            smooth.append(*change)
        moments.append((series.moment(), list(series), list(series.superseded), smooth.moment(), list(smooth)))
    for mark, points, superseded, smooth_mark, smoothed in moments:
        copy = series.as_of(mark)
        assert (list(copy), list(copy.superseded)) == (points, superseded)
        assert copy.decimate(0, 20, 5) == series_of(points).decimate(0, 20, 5)
        assert list(smooth.copy_onto(copy, smooth_mark)) == smoothed


def test_a_curve_as_it_was_goes_on_without_changing_the_one_it_was_taken_of() -> None:
    series = series_of([(1.0, 1.0), (2.0, 1.0), (3.0, 1.0), (2.0, 2.0)])
    copy = series.as_of(series.moment())
    copy.rewind(1.0)
    assert list(copy.superseded) == [(2.0, 1.0), (3.0, 1.0), (2.0, 2.0)]
    assert (list(series), list(series.superseded)) == ([(1.0, 1.0), (2.0, 2.0)], [(2.0, 1.0), (3.0, 1.0)])


@given(CURVES, st.floats(-20, 320))
def test_the_nearest_point_is_no_farther_than_any_other(curve: list[tuple[int, float | None]], x: float) -> None:
    points = placed(curve)
    found = series_of(points).nearest(x)
    assert (found is None) == (not points)
    if found is not None:
        assert abs(found[0] - x) == min(abs(point[0] - x) for point in points)


def test_quantiles_leave_a_few_spikes_out() -> None:
    points = noise(20_000)
    for place in (777, 9_999, 15_000):
        points[place] = (float(place), HUGE)
    series = series_of(points)
    low, high = series.quantiles(0, 20_000, 0.01, 0.99) or (0.0, 0.0)
    assert 0.6 < low < 0.85
    assert 1.15 < high < 1.4
    assert series.quantiles(0, 20_000, 0.01, 0.99) == (low, high)


def test_quantiles_follow_the_range_asked_for() -> None:
    series = series_of([(float(step), float(step)) for step in range(100)])
    assert series.quantiles(10, 20, 0.0, 1.0) == (10.0, 20.0)


def test_smoothing_is_free_of_bias_towards_the_start() -> None:
    smooth = Smoothed(Series(), 0.9)
    for step in range(5):
        smooth.append(step, 4.0)
    assert [y for _, y in smooth] == pytest.approx([4.0] * 5)


def test_smoothing_weighs_values_by_their_age() -> None:
    smooth = Smoothed(Series(), 0.5)
    for step, value in enumerate([1.0, 2.0, None, 4.0]):
        smooth.append(step, value)
    assert smooth.last == (3, pytest.approx((1.0 * 0.25 + 2.0 * 0.5 + 4.0) / 1.75))
    assert smooth[2] == (2.0, None)


def test_a_value_that_is_infinite_is_a_gap_and_leaves_the_average_as_it_is() -> None:
    smooth = Smoothed(Series(), 0.5)
    for step, value in enumerate([4.0, math.inf, 4.0, math.nan, 4.0]):
        smooth.append(step, value)
    assert [y for _, y in smooth] == [4.0, None, pytest.approx(4.0), None, pytest.approx(4.0)]


def test_with_another_weight_what_was_superseded_is_averaged_piece_by_piece() -> None:
    raw = Series()
    smooth = Smoothed(raw, 0.9)
    for step, value in [(1, 8.0), (2, 4.0), (3, 2.0), (2, 1.0), (3, 1.0), (3, 6.0), (2, 5.0)]:
        raw.append(step, value)
        smooth.append(step, value)
    smooth.weight = 0.5
    for cut, piece in enumerate(([4.0, 2.0], [1.0, 1.0, 6.0])):
        alone = series_of([(float(step), y) for step, y in enumerate(piece)], lambda: Smoothed(Series(), 0.5))
        start = 2 * cut
        assert [y for _, y in smooth.superseded][start : start + len(piece)] == [y for _, y in alone]
    assert [x for x, _ in smooth.superseded] == [x for x, _ in raw.superseded]


def test_smoothing_values_of_any_size_stays_finite() -> None:
    smooth = Smoothed(Series(), 0.99)
    for step in range(100):
        smooth.append(step, HUGE if step % 2 else -HUGE)
    assert all(y is not None for _, y in smooth)


@given(CURVES, st.floats(0, 0.999), st.integers(0, 300))
def test_another_weight_gives_what_it_would_have_given_from_the_start(
    curve: list[tuple[int, float | None]], weight: float, resumed: int
) -> None:
    raw, other = Series(), Series()
    late, early = Smoothed(raw), Smoothed(other, weight)
    for x, y in placed(curve):
        for series in (raw, other, late, early):
            series.append(x, y)
    for series in (raw, other, late, early):
        series.rewind(resumed)
        series.append(resumed, 1.0)
    late.weight = weight
    assert list(late) == list(early)
    assert [x for x, _ in late.superseded] == [x for x, _ in early.superseded]


def test_after_a_resume_smoothing_goes_on_from_the_step_it_resumed_at() -> None:
    interrupted, straight = Smoothed(Series()), Smoothed(Series())
    for smooth, steps in ((interrupted, [1, 2, 3, 4]), (straight, [1, 2])):
        for step in steps:
            smooth.append(step, float(step))
    interrupted.rewind(2)
    interrupted.append(3, 7.0)
    straight.append(3, 7.0)
    assert list(interrupted) == list(straight)


def test_a_curve_as_it_was_can_grow_beyond_the_one_it_was_taken_of() -> None:
    series = series_of(noise(50))
    copy = series.as_of(series.moment())
    copy.append(50, 7.0)
    copy.extend(array("d", [51.0, 52.0]), array("d", [8.0, 9.0]))
    assert list(copy) == [*noise(50), (50.0, 7.0), (51.0, 8.0), (52.0, 9.0)]
    assert list(series) == noise(50)
    with pytest.raises(IndexError):
        series[50]
