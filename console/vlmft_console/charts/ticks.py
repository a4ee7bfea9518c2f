"""Ticks: round values along an axis and their labels, such as 1,234, 0.05, 4e-5, 25k."""

from __future__ import annotations

import math
from collections.abc import Sequence

from vlmft_core.figures import exponent

_STEPS = (1.0, 2.0, 2.5, 5.0, 10.0)
_EPSILON = 1e-9
_SECONDS = (1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 10800, 21600, 43200, 86400)
"""What labels of times are apart."""
_BRIEF = 1 / 6
"""Hours below which seconds are told."""
_LARGEST = 1e300
"""Values beyond it are drawn as it: differences of two such must stay finite."""


def finite(value: float) -> float:
    """`value`, held within what can be subtracted and scaled without overflow."""
    return value if -_LARGEST <= value <= _LARGEST else max(-_LARGEST, min(_LARGEST, value))


def nice_step(span: float, parts: int) -> float:
    """The smallest of 1, 2, 2.5 and 5 times a power of ten that cuts `span` into at most `parts`."""
    return rounded_up(max(span / max(1, parts), 1e-305), _STEPS)


def rounded_up(value: float, sizes: Sequence[float]) -> float:
    """The smallest of `sizes`, which go up to 10, times a power of ten that is no less than `value`."""
    power = 10.0 ** math.floor(math.log10(value))
    return next((size * power for size in sizes if size * power >= value * (1 - 1e-9)), 10 * power)


def ticks(low: float, high: float, parts: int, *, whole: bool = False) -> list[tuple[float, str]]:
    """Round values from `low` to `high`, about `parts` of them, each with its label; only integers with `whole`."""
    span = high - low
    if not span > 0:
        return []
    step = nice_step(span, parts)
    if whole and step != round(step):
        step = 5.0 if step > 1 else 1.0  # 2.5 or a part of one
    first = math.ceil(low / step - 1e-9)
    values = [index * step for index in range(first, first + parts + 2) if index * step <= high + step * 1e-9]
    largest = max((abs(value) for value in values), default=0.0)
    return [(value, tick_label(value, step, largest)) for value in values]


def tick_label(value: float, step: float, largest: float) -> str:
    """The label of one of several multiples of `step`, of which `largest` is the largest in size."""
    if abs(value) < step / 1e6:
        return "0"
    if has_exponent(largest) or step < 1e-6 * largest:
        return exponent(value, 1 + _decimals(step / 10.0 ** math.floor(math.log10(abs(value)) + _EPSILON)))
    for size, letter in ((1e6, "M"), (1e3, "k")):
        if largest >= 10 * size or (size == 1e6 and largest >= size):
            scaled = value / size
            return f"{scaled:.{_decimals(step / size)}f}{letter}"
    return f"{value:,.{_decimals(step)}f}"


def has_exponent(largest: float) -> bool:
    """Whether labels up to this size are written with an exponent."""
    return largest < 1e-3 or largest >= 1e9


def _decimals(step: float) -> int:
    """Digits after the point that tell multiples of `step` apart."""
    for digits in range(9):
        if abs(step * 10**digits - round(step * 10**digits)) < 1e-6 * step * 10**digits:
            return digits
    return 9


def log_ticks(low: float, high: float, parts: int) -> list[tuple[float, str]]:
    """Labels for a logarithmic axis whose ends are the logarithms `low` and `high`, at their logarithms.

    Powers of ten; where fewer than three fall inside, 2 and 5 times them too.
    """
    first, last = math.floor(low), math.ceil(high)
    skip = max(1, math.ceil((last - first) / max(1, parts)))
    factors = (1.0,) if high - low > 2.5 else (1.0, 2.0, 5.0)
    found = []
    for power in range(first, last + 1, skip):
        for factor in factors:
            place = power + math.log10(factor)
            if low - 1e-9 <= place <= high + 1e-9:
                found.append((place, log_label(factor, power)))
    return found


def log_label(factor: float, power: int) -> str:
    """`factor` times ten to the `power`: `0.05`, `1.5`, `2,000`, `5e-6`."""
    if -4 < power < 4:
        return f"{factor * 10.0**power:,.{max(0, _decimals(factor) - power)}f}"
    return f"{factor:g}e{power}"


def x_ticks(low: float, high: float, parts: int, unit: str) -> list[tuple[float, str]]:
    """As `ticks`, along an axis that counts steps, records, epochs or hours; these as `0:30` or `0:00:20`."""
    if unit != "hours":
        return ticks(low, high, parts, whole=unit != "epoch")
    if not high > low:
        return []
    rough = 3600 * (high - low) / max(1, parts)
    step = next((step for step in _SECONDS if step >= rough), 0) or 86400 * max(1.0, nice_step(rough / 86400, 1))
    first = math.ceil(3600 * low / step - 1e-9)
    count = math.floor(3600 * high / step + 1e-9) - first + 1
    return [(index * step / 3600, _time_label(index * step, step)) for index in range(first, first + count)]


def x_label(value: float, unit: str) -> str:
    """Where a point is: `12,345` for a step, `1.25` for an epoch, `2:05` for hours and minutes, `0:05:20` below ten
    minutes."""
    if unit in ("step", "record"):
        return f"{round(value):,}"
    if unit == "hours":
        return _time_label(value * 3600, 1.0 if value < _BRIEF else 60.0)
    return f"{value:.2f}"


def _time_label(seconds: float, step: float) -> str:
    """Hours and minutes; seconds too where steps are that small."""
    whole = round(seconds) if step < 60 else int(seconds + 1e-6)
    hours, minutes = f"{whole // 3600}", f"{whole // 60 % 60:02d}"
    return f"{hours}:{minutes}:{whole % 60:02d}" if step < 60 else f"{hours}:{minutes}"
