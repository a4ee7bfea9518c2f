"""Raster: what a line of dots looks like, wherever it lies."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from vlmft_console.charts.raster import raster

_DOT = st.tuples(st.integers(0, 59), st.none() | st.integers(-6, 37))


@given(dots=st.lists(_DOT, min_size=1, max_size=60).map(tuple), columns=st.integers(0, 40))
def test_a_line_looks_the_same_wherever_it_lies(dots: tuple[tuple[int, int | None], ...], columns: int) -> None:
    here = raster(dots, 30, 8, "braille", True)
    there = raster(tuple((x + 2 * columns, y) for x, y in dots), 30 + columns, 8, "braille", True)
    assert there == tuple(" " * columns + row for row in here)


def test_a_line_has_no_hole_and_ends_at_the_edges_of_the_chart() -> None:
    (row,) = raster(((-6, 1), (90, 1)), 40, 1, "braille", True)
    assert row == "⠤" * 40
    (row,) = raster(((2, 1), (61, 1), (70, None), (74, 1), (90, 1)), 40, 1, "braille", True)
    assert row == " " + "⠤" * 30 + " " * 6 + "⠤" * 3
