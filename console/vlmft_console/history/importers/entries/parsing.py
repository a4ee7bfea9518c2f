"""Parsing: numbers, steps and durations as the logs of other programs spell them."""

from __future__ import annotations

import math
import re
from typing import Any

_LONGEST = 64
"""Characters of a number; a longer one is no measurement."""
_WRAPPED = re.compile(r"[\w.]{1,32}\(\s*'?([^,()'\s]+)'?\s*(?:,[^()]*)?\)")
_CLOCK = re.compile(r"(?:(\d{1,5}) days?, )?(\d{1,4}):(\d\d)(?::(\d\d(?:\.\d+)?))?")
_UNITS = {"d": 86400.0, "h": 3600.0, "m": 60.0, "s": 1.0}
_SPELLED = re.compile(r"(?:\d{1,6}[dhms](?:\s+|$))+")


def number(value: Any) -> float | None:
    """A measurement, which may be NaN or infinite; None where the log wrote null, None or nothing.

    Takes numbers and the spellings `'1.23'`, `'nan'`, `inf`, `tensor(0.3, device='cuda:0')` and `np.float64(0.3)`.

    Raises:
        ValueError: it is something else: a truth value, a list, a text, a number of thousands of digits.
    """
    if value is None or type(value) is float:
        return value
    if type(value) is str and len(value) <= _LONGEST and "_" not in value:  # float() would take 1_000
        try:
            return float(value)
        except ValueError:
            return _spelled(value.strip())
    if type(value) is int and abs(value) < 10**_LONGEST:
        return float(value)
    raise ValueError("not a number")


def is_measured(value: Any) -> bool:
    """Whether `number` makes a measurement of it."""
    try:
        return number(value) is not None
    except ValueError:
        return False


def _spelled(text: str) -> float | None:
    if text in ("", "None", "null"):
        return None
    inner = _WRAPPED.fullmatch(text)
    return float(inner[1] if inner else text)


def whole(value: Any) -> int | None:
    """A step or a count, at least 0 and below 2**53; None where the log wrote none.

    Raises:
        ValueError: it is something else.
    """
    if type(value) is int and 0 <= value < 2**53:
        return value
    found = number(value)
    if found is None:
        return None
    if not math.isfinite(found) or found != int(found) or not 0 <= found < 2**53:
        raise ValueError("not a count")
    return int(found)


def step_of_total(value: Any) -> tuple[int | None, int | None]:
    """`"10/438"` as (10, 438); `10` as (10, None).

    Raises:
        ValueError: it is neither.
    """
    if isinstance(value, str) and "/" in value:
        step, _, total = value.partition("/")
        return whole(step), whole(total)
    return whole(value), None


def duration(value: Any) -> float | None:
    """`"0:00:28"`, `"1 day, 0:03:02"`, `"1m 42s"` or a number as seconds; None where it cannot be read."""
    if isinstance(value, str) and len(value) <= _LONGEST:
        if clock := _CLOCK.fullmatch(value):
            days, first, second, third = clock.groups()
            if third is None:  # minutes and seconds alone
                return float(first) * 60 + float(second)
            return int(days or 0) * 86400 + int(first) * 3600 + int(second) * 60 + float(third)
        if _SPELLED.fullmatch(value):
            return sum(float(part[:-1]) * _UNITS[part[-1]] for part in value.split())
    try:
        found = number(value)
    except ValueError:
        return None
    return found if found is not None and math.isfinite(found) and found >= 0 else None
