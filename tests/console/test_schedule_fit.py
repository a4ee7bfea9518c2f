"""Telling the learning rate schedule from the rates that were logged."""

from __future__ import annotations

import math

import pytest

from vlmft_console.history.schedule_fit import Schedule, recognise

PEAK, TOTAL = 4e-5, 2000
Points = list[tuple[float, float]]


def linear(step: int, warmup: int) -> float:
    return PEAK * (step / warmup if step < warmup else (TOTAL - step) / (TOTAL - warmup))


def cosine(step: int, warmup: int, floor: float = 0.0) -> float:
    if step < warmup:
        return PEAK * step / warmup
    return floor + (PEAK - floor) * (1 + math.cos(math.pi * (step - warmup) / (TOTAL - warmup))) / 2


def constant(step: int, warmup: int) -> float:
    return PEAK * min(1.0, step / warmup) if warmup else PEAK


@pytest.mark.parametrize("every", [1, 10, 37])
@pytest.mark.parametrize("warmup", [0, 120])
@pytest.mark.parametrize("shape", [linear, cosine, constant])
def test_shape_and_warm_up_are_told_however_often_the_rate_was_logged(shape, warmup: int, every: int) -> None:  # type: ignore[no-untyped-def]
    found = recognise([(step, shape(step, warmup)) for step in range(every, TOTAL + 1, every)])
    assert found.kind == shape.__name__
    assert found.warmup_steps == pytest.approx(warmup, abs=2)
    assert found.max_deviation == pytest.approx(0, abs=2e-3)


@pytest.mark.parametrize("warmup", [0, 120, 145, 155, 333])
@pytest.mark.parametrize("shape", [linear, cosine, constant])
def test_a_peak_between_two_points_of_the_log_is_found(shape, warmup: int) -> None:  # type: ignore[no-untyped-def]
    for every in (37, 50, 100):
        found = recognise([(step, shape(step, warmup)) for step in range(every, TOTAL + 1, every)])
        assert (found.kind, found.warmup_steps) == (shape.__name__, warmup)
        assert found.max_deviation == pytest.approx(0, abs=5e-6)


@pytest.mark.parametrize("shape", [linear, cosine])
def test_rates_rounded_to_four_digits_still_tell_their_shape(shape) -> None:  # type: ignore[no-untyped-def]
    points = [(step, float(f"{shape(step, 120):.3e}")) for step in range(25, TOTAL + 1, 25)]
    assert recognise(points).kind == shape.__name__


def test_a_run_that_was_stopped_half_way_tells_its_shape_without_its_end() -> None:
    for shape in (linear, cosine):
        points: Points = [(step, shape(step, 120)) for step in range(10, TOTAL // 2, 10)]
        assert recognise(points).kind == shape.__name__


def test_a_cosine_that_ends_above_zero_is_a_cosine() -> None:
    found = recognise([(step, cosine(step, 120, floor=0.1 * PEAK)) for step in range(10, TOTAL + 1, 10)])
    assert found.kind == "cosine"
    assert found.max_deviation == pytest.approx(0, abs=1e-4)


def test_a_warm_up_that_ends_just_after_the_highest_rate_logged_is_found() -> None:
    found = recognise([(step, linear(step, 150)) for step in range(37, TOTAL + 1, 37)])
    assert (found.kind, found.warmup_steps) == ("linear", 150)


@pytest.mark.parametrize("floor", [0.01, 0.05, 0.1, 0.2, 0.5])
def test_a_floor_that_a_run_had_not_reached_yet_is_found(floor: float) -> None:
    found = recognise([(step, cosine(step, 145, floor * PEAK)) for step in range(50, 1450, 50)])
    assert (found.kind, found.warmup_steps) == ("cosine", 145)
    assert found.max_deviation == pytest.approx(0, abs=5e-6)


def test_a_run_that_has_not_reached_its_peak_is_warming_up() -> None:
    found = recognise([(step, linear(step, 500)) for step in range(10, 400, 10)])
    assert (found.kind, found.warmup_steps) == ("warmup-only", None)


def test_a_first_rate_of_0_that_some_trainers_log_before_they_know_it_spoils_nothing() -> None:
    found = recognise([(1, 0.0), *((step, cosine(step, 8)) for step in range(10, TOTAL + 1, 10))])
    assert (found.kind, found.warmup_steps) == ("cosine", 8)
    assert found.max_deviation == pytest.approx(0, abs=1e-6)


def test_a_warm_up_is_counted_in_updates_where_a_step_logs_the_rate_before_its_own() -> None:
    found = recognise([(step, linear(step - 1, 10)) for step in range(1, TOTAL + 1)])
    assert (found.kind, found.warmup_steps) == ("linear", 10)


def test_steps_that_were_skipped_at_the_start_are_no_warm_up() -> None:
    found = recognise([(step, linear(max(0, step - 5), 20)) for step in range(1, TOTAL + 1)])
    assert (found.kind, found.warmup_steps) == ("linear", 20)


@pytest.mark.parametrize("at_the_jump", [0.0, PEAK])
def test_where_a_cycle_ends_on_a_step_that_has_the_rate_of_either(at_the_jump: float) -> None:
    points = [(step, PEAK * (1 + math.cos(math.pi * (step % 250) / 250)) / 2) for step in range(TOTAL)]
    found = recognise([(step, rate if step % 250 or not step else at_the_jump) for step, rate in points])
    assert (found.kind, found.warmup_steps) == ("cosine-restarts", 0)
    assert found.max_deviation == pytest.approx(0, abs=1e-3)


def test_a_rate_off_the_schedule_shows_in_the_deviation() -> None:
    points = [(step, linear(step, 0)) for step in range(10, TOTAL + 1, 10)]
    points[100] = (points[100][0], points[100][1] * 0.99)
    found = recognise(points)
    assert found.kind == "linear"
    assert 0.003 < (found.max_deviation or 0) < 0.007


def test_of_a_step_that_was_repeated_after_a_resume_the_later_rate_counts() -> None:
    points = [(step, linear(step, 0)) for step in range(10, TOTAL + 1, 10)]
    assert recognise([(1000, PEAK), *points]).max_deviation == pytest.approx(0, abs=1e-9)


@pytest.mark.parametrize(
    "points",
    [
        [],
        [(1, 1e-4)],
        [(step, 0.0) for step in range(20)],
        [(step, PEAK * (1 + math.sin(step)) / 2) for step in range(100)],
        [(step, PEAK / (1 + step)) for step in range(100)],
        [(5, 1e-4)] * 50,
    ],
)
def test_what_follows_no_schedule_is_unknown(points: Points) -> None:
    assert recognise(points) == Schedule("unknown", None, None)
