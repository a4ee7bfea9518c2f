"""Figures as text: numbers, shares and times as people write them, such as 1,234, 4e-5, 65.4 %, 12:05, 3 h."""

from __future__ import annotations

import math
from datetime import UTC, datetime
from typing import Any

from vlmft_core.figures import figure
from vlmft_core.scoring.chance import interval


def signed(value: float | None, unknown: str = "") -> str:
    """A difference, with its sign: `+0.9908`, `-2.012`; `unknown` for None."""
    if value is None:
        return unknown
    return figure(value) if value < 0 else f"+{figure(value)}"


def percent(share: float | None, unknown: str = "") -> str:
    """A share (0 to 1) as `65.4 %`; `unknown` for None."""
    return unknown if share is None else f"{100 * share:.1f} %"


def accuracy(share: float | None, questions: Any, unknown: str = "") -> str:
    """A share of right answers with where it lies 19 times of 20: `85.0 % [81.6, 87.9]`; the share alone where the
    number of questions is not known."""
    if share is None or type(questions) is not int or questions < 1 or not 0 <= share <= 1:
        return percent(share, unknown)
    return f"{percent(share)} {between(*interval(share, questions))}"


def between(low: float, high: float) -> str:
    """Two shares as `[81.6, 87.9]`, in percent."""
    return f"[{100 * low:.1f}, {100 * high:.1f}]"


def done(share: float | None, unknown: str = "") -> str:
    """A share of work as `57 %`, which is `100 %` when all of it is done; `unknown` for None."""
    return unknown if share is None else f"{math.floor(100 * share + 1e-6)} %"


def points(difference: float) -> str:
    """A difference of two shares, in points of percent, with its sign: `+35.0`."""
    return f"{100 * difference:+.1f}"


def epochs_passed(value: float | None, unknown: str = "–") -> str:
    """How many epochs have passed: `1.25`; `unknown` for None."""
    return unknown if value is None else f"{value:.2f}"


def whole(value: float | None, unit: str = "") -> str:
    """What nobody reads more precisely, such as a temperature: `67 °C`; a dash for None."""
    return "–" if value is None else f"{value:,.0f} {unit}".rstrip()


def hours(value: float) -> str:
    """How long a plan takes: `18.2`."""
    return f"{value:.1f}"


def clock(seconds: float) -> str:
    """`45 s`, `12:05` (minutes), `3:04:05` (hours) or `2 d 03:04` (days)."""
    whole = int(seconds)
    if whole < 60:
        return f"{whole} s"
    minutes, rest = divmod(whole, 60)
    hours, minutes = divmod(minutes, 60)
    if hours >= 24:
        return f"{hours // 24} d {hours % 24:02d}:{minutes:02d}"
    return f"{hours}:{minutes:02d}:{rest:02d}" if hours else f"{minutes}:{rest:02d}"


def took(seconds: float) -> str:
    """How long something took: `8 min 46 s`, from an hour and a half on `18.2 h`."""
    return f"{hours(seconds / 3600)} h" if seconds >= 5400 else f"{int(seconds) // 60} min {int(seconds) % 60:02d} s"


def age(seconds: float) -> str:
    """`now`, `5 min`, `3 h` or `12 d`; never negative, whatever the clocks say."""
    minutes = max(0, int(seconds // 60))
    if minutes < 60:
        return f"{minutes} min" if minutes else "now"
    return f"{minutes // 60} h" if minutes < 48 * 60 else f"{minutes // 1440} d"


def stamp() -> str:
    """Now, in UTC, as part of a file's name: `20261129T154807Z`."""
    return f"{datetime.now(UTC):%Y%m%dT%H%M%SZ}"
