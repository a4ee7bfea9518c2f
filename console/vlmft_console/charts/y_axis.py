"""Y axis, laid on rows of characters: every label stands in the middle of a row, at equal distances.

A terminal has few rows. Were the ends of the range chosen freely, labels that are 5 apart would be two rows from each
other here and three there, and a value could stand in the row of a label that it is far from. So it is the height of a
row that is chosen: a whole number of rows goes from each label to the next.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache

from vlmft_console.charts.ticks import log_label, tick_label
from vlmft_console.charts.y_range import YRange

_STEPS = (1.0, 2.0, 5.0, 2.5, 4.0)
"""What labels may be apart, times a power of ten, the one that is easiest to read first."""
_DECADES = (1, 2, 3, 4, 5, 6, 8, 10, 20, 30, 50, 100, 200, 300)
"""Powers of ten from one label of a logarithmic axis to the next, where it spans many."""
_UNEVEN = (5, 8)
"""Rows for a power of ten with which 2 and 5 times it lie at the border of two rows."""
_FACTORS = ((2, (1.0, 3.0)), (12, (1.0, 2.0, 5.0)), (40, (1.0, 1.5, 2.0, 3.0, 5.0, 7.0)))
"""Up to so many rows for a power of ten, these multiples of it have labels, where the powers alone are too few."""
_FINEST = (1.0, 1.2, 1.5, 2.0, 2.5, 3.0, 4.0, 5.0, 6.0, 8.0)
_CLOSEST = math.log10(1.2)
"""Two labels of a logarithmic axis are no closer: an axis that spans less cannot have two."""
_EPSILON = 1e-9
_HIGHER = 1.5
"""A row may be so many times as high as it had to be, for labels that can be shown."""
GUTTER = 8
"""Columns left of the curves, the same for every chart: charts above each other then line up."""


@dataclass(frozen=True)
class YAxis:
    """An axis whose ends are edges of rows.

    Args:
        span: from the lower edge of the lowest row to the upper edge of the highest.
        labels: row, counted from 0 at the bottom, and label.
    """

    span: YRange
    labels: tuple[tuple[int, str], ...] = ()


@lru_cache(maxsize=64)
def labelled_axis(low: float, high: float, rows: int, log: bool) -> YAxis:
    """The axis that shows `low` to `high` (logarithms on a logarithmic axis) on `rows` rows, with two labels or more.

    What is left over is blank at the top: a new highest value then seldom moves what is there. Labels that are too long
    to be shown are taken only where the next steps' are, too.
    """
    too_long: YAxis | None = None
    highest = math.inf
    for pitch, apart in _log_pitches(low, high, rows) if log else _pitches(low, high, rows):
        first = math.floor(low / pitch + 0.5 + _EPSILON)
        last = math.floor(high / pitch + 0.5 + _EPSILON)
        if pitch > highest:
            break
        if last - first >= rows:
            continue
        span = YRange((first - 0.5) * pitch, (first - 0.5 + rows) * pitch, log)
        labels = (_log_labels if log else _labels)(first, pitch, apart, rows)
        if len(labels) >= (2 if rows < (10 if log else 7) else 3):
            found = YAxis(span, labels)
            if all(len(label) < GUTTER for _, label in labels):
                return found
            if too_long is None:
                too_long, highest = found, _HIGHER * pitch
    return too_long or unlabelled_axis(low, high, rows, log)


def unlabelled_axis(low: float, high: float, rows: int, log: bool) -> YAxis:
    """An axis without labels that gives `low` to `high` all of the height: the ends lie in the middle of a dot."""
    margin = (high - low) / (2 * (4 * rows - 1))
    return YAxis(YRange(low - margin, high + margin, log))


def _pitches(low: float, high: float, rows: int) -> Iterator[tuple[float, int]]:
    """Heights of a row that may do, from the smallest on, each with the rows from one label to the next."""
    rough = (high - low) / rows
    power = math.floor(math.log10(rough))
    fewest = 1 if rows < 6 else 2 if rows < 30 else 3
    found = [
        (step * 10.0**exponent / apart, abs(apart - 3), number, apart)
        for exponent in range(power - 1, power + 3)
        for number, step in enumerate(_STEPS)
        for apart in range(fewest, fewest + 4)
    ]
    yield from ((pitch, apart) for pitch, *_, apart in sorted(found) if pitch > 0.7 * rough)


def _labels(first: int, pitch: float, apart: int, rows: int) -> tuple[tuple[int, str], ...]:
    places = [number for number in range(first, first + rows) if number % apart == 0]
    largest = max((abs(number * pitch) for number in places), default=0.0)
    return tuple((number - first, tick_label(number * pitch, apart * pitch, largest)) for number in places)


def _log_pitches(low: float, high: float, rows: int) -> Iterator[tuple[float, int]]:
    """As `_pitches`, in powers of ten. Below one a row, `apart` counts the rows of a whole power."""
    rough = (high - low) / rows
    most = min(math.ceil(2 / rough), math.ceil(rows / _CLOSEST))
    found = [(1 / apart, apart) for apart in range(1, max(2, most)) if apart not in _UNEVEN]
    found += [(decades / apart, apart) for decades in _DECADES[1:] for apart in (1, 2, 3)]
    yield from sorted(each for each in found if each[0] > 0.7 * rough)


def _log_labels(first: int, pitch: float, apart: int, rows: int) -> tuple[tuple[int, str], ...]:
    powers = [number for number in range(first, first + rows) if number % apart == 0]
    if len(powers) >= 3 or apart * pitch > 1.5:
        return tuple((number - first, log_label(1, round(number * pitch))) for number in powers)
    factors = next((factors for most, factors in _FACTORS if apart <= most), _FINEST) if apart > 1 else (1.0,)
    labels: dict[int, str] = {}
    for power in range(math.floor(first * pitch) - 1, math.ceil((first + rows) * pitch) + 1):
        for factor in factors:
            row = math.floor((power + math.log10(factor)) / pitch + 0.5 + _EPSILON) - first
            if 0 <= row < rows:
                labels.setdefault(row, log_label(factor, power))
    return tuple(sorted(labels.items()))
