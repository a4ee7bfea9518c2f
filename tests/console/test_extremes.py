"""Extremes: of any stretch of a column that grows, is cut and has gaps they are what looking at every value finds."""

from __future__ import annotations

import math
from array import array
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vlmft_console.history import extremes
from vlmft_console.history.extremes import Extremes

values = st.sampled_from([math.nan, 0.0, -1.0, 1.0, 1e300, -1e300]) | st.floats(allow_nan=False, allow_infinity=False)
changes = st.lists(st.lists(values, max_size=60) | st.integers(0, 60), max_size=6)
"""Values that come, or a length to which the column is cut."""


@pytest.fixture(autouse=True, scope="module")
def _many_levels() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(extremes, "FAN", 2)
        patch.setattr(extremes, "_AT_ONCE", 8)
        yield


@given(changes, st.lists(st.tuples(st.integers(0, 300), st.integers(0, 300)), max_size=20))
def test_they_are_those_that_looking_at_every_value_finds(
    changes: list[list[float] | int], stretches: list[tuple[int, int]]
) -> None:
    column = array("d")
    found = Extremes(column)
    for change in changes:
        if isinstance(change, int):
            del column[change:]
            found.cut(change)
        else:
            column.extend(change)
        for start, stop in [*stretches, (0, len(column))]:
            start, stop = min(start, len(column)), min(stop, len(column))
            numbers = [value for value in column[start:stop] if not math.isnan(value)]
            places = found.between(start, stop)
            assert (places is None) == (not numbers)
            if places is not None:
                assert [column[place] for place in places] == [min(numbers), max(numbers)]
                assert all(start <= place < stop for place in places)
