"""Curves, points and labels on one grid of rows."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from vlmft_console.charts.draw import draw
from vlmft_console.charts.spec import ChartSpec, Curve
from vlmft_console.charts.ticks import ticks
from vlmft_console.charts.view import View
from vlmft_console.charts.y_axis import GUTTER, labelled_axis
from vlmft_console.history.series import Series


def evals(*values: float, every: int = 10) -> ChartSpec:
    points = Series()
    for number, value in enumerate(values, 1):
        points.append(number * every, value)
    return ChartSpec("Loss", (Curve("eval", points, "points"),))


def rows_of(spec: ChartSpec, height: int, *, log: bool = False) -> list[str]:
    """The rows of the canvas, with their labels."""
    return [line for line in draw(spec, View(log=log), 90, height).lines()[1:] if line[7] in "│┤"]


@pytest.mark.parametrize("log", [False, True])
@pytest.mark.parametrize(("low", "high"), [(9.06e8, 9.96e8), (9.35e-5, 1.03e-4), (0.0999, 0.1001), (999, 1001)])
def test_no_two_labels_of_an_axis_are_the_same(low: float, high: float, log: bool) -> None:
    for rows in range(3, 50):
        ends = (math.log10(low), math.log10(high)) if log else (low, high)
        labels = [label for _, label in labelled_axis(*ends, rows, log).labels]
        assert len(set(labels)) == len(labels)


@pytest.mark.parametrize(
    ("values", "rows", "labels"),
    [
        ((0, 14), 13, ["0", "5", "10", "15"]),
        ((0, 14), 5, ["0", "10"]),
        ((1.4, 2.1), 9, ["1.50", "1.75", "2.00"]),
        ((-1, 1), 7, ["-1", "0", "1"]),
    ],
)
def test_equal_steps_have_equal_distances(values: tuple[float, float], rows: int, labels: list[str]) -> None:
    axis = labelled_axis(*values, rows, False)
    assert [label for _, label in axis.labels] == labels
    assert len({after - before for (before, _), (after, _) in zip(axis.labels, axis.labels[1:], strict=False)}) == 1


@settings(max_examples=300)
@given(
    low=st.floats(-1e9, 1e9),
    span=st.floats(1e-3, 1e6),
    rows=st.integers(3, 60),
    log=st.booleans(),
)
def test_any_range_is_shown_whole_on_most_of_the_rows_with_labels_in_the_rows_of_their_values(
    low: float, span: float, rows: int, log: bool
) -> None:
    if log:
        low, span = low / 1e9 * 5, max(0.5, span / 1e4)
    span = max(span, abs(low) * 0.1)  # as little as a chart shows of such values
    found = labelled_axis(low, low + span, rows, log)
    pitch = (found.span.high - found.span.low) / rows
    assert found.span.low <= low + pitch * 1e-6
    assert found.span.high >= low + span - pitch * 1e-6
    assert span / pitch + 1 > rows * 0.55
    assert len(found.labels) >= 2
    assert len({label for _, label in found.labels}) == len(found.labels)


def test_every_label_stands_in_the_row_of_its_value() -> None:
    for height in range(6, 30):
        rows = rows_of(evals(4, 4, 3, 3, 2, 2, 1, 1, 0, 0), height)
        labelled = {row[:7].strip(): row for row in rows if "┤" in row}
        assert len(labelled) >= 2
        assert all("●" in row for label, row in labelled.items() if float(label).is_integer() and float(label) <= 4)


@pytest.mark.parametrize("height", [7, 12, 20, 40])
def test_a_point_stands_in_the_row_that_its_line_goes_through(height: int) -> None:
    spec = evals(3.08, 0.8324, 0.9, 1.09, 1.03, 0.99, 0.98, 0.9924, 0.9928)
    line = ChartSpec("Loss", (replace(spec.curves[0], kind="line"),))
    for log in (False, True):
        points, dots = rows_of(spec, height, log=log), rows_of(line, height, log=log)
        assert sum(row.count("●") for row in points) == 9
        for row, row_of_dots in zip(points, dots, strict=True):
            assert all("⠁" <= dot <= "⣿" for each, dot in zip(row, row_of_dots, strict=True) if each == "●")


@pytest.mark.parametrize("height", [7, 8, 14, 24])
def test_evals_that_hardly_differ_stand_beside_the_label_that_they_are_nearest_to(height: int) -> None:
    rows = rows_of(evals(3.1, 1.09, 1.03, 0.99, 0.99, 0.1), height, log=True)
    (row,) = [row for row in rows if row.startswith("      1┤")]
    assert row.count("●") >= (4 if height < 15 else 2)


def test_a_new_highest_value_seldom_moves_what_is_there() -> None:
    pictures = {tuple(labelled_axis(0.0, 5 + number / 100, 13, False).labels) for number in range(500)}
    assert len(pictures) <= 8


@pytest.mark.parametrize(("low", "high"), [(0.0, 1.0), (-300.0, 300.0), (2.0, 2.5)])
def test_a_log_axis_never_repeats_a_label(low: float, high: float) -> None:
    for rows in range(3, 60):
        labels = [label for _, label in labelled_axis(low, high, rows, True).labels]
        assert len(labels) == len(set(labels)) >= 2


@pytest.mark.parametrize(("low", "high"), [(9.06e8, 9.96e8), (9.35e-5, 1.03e-4), (9.9e-5, 1.2e-4), (1e9, 1.1e9)])
def test_labels_around_a_power_of_ten_differ_and_are_short_enough_to_be_shown(low: float, high: float) -> None:
    for rows in range(3, 60):
        labels = [label for _, label in labelled_axis(low, high, rows, False).labels]
        assert len(labels) == len(set(labels)) >= 2
        assert all(len(label) < GUTTER for label in labels)
    found = [label for _, label in ticks(low, high, 60)]
    assert len(found) == len(set(found)) > 20


def test_labels_that_fit_are_preferred_to_finer_ones_that_would_be_left_out() -> None:
    assert [label for _, label in labelled_axis(9.35e-5, 1.06e-4, 14, False).labels] == [
        "9.4e-5", "9.6e-5", "9.8e-5", "1e-4", "1.02e-4", "1.04e-4", "1.06e-4",
    ]  # fmt: skip
