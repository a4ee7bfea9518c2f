"""Figures as text: numbers, shares and times as people write them, such as 1,234, 4e-5, 65.4 %, 12:05, 3 h."""

from __future__ import annotations

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


def filled(form: str, value: float | None) -> str:
    """`form` with the value in it; a dash for None."""
    return "–" if value is None else form.format(value)


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
    return f"{seconds / 3600:.1f} h" if seconds >= 5400 else f"{int(seconds) // 60} min {int(seconds) % 60:02d} s"


def age(seconds: float) -> str:
    """`now`, `5 min`, `3 h` or `12 d`; never negative, whatever the clocks say."""
    minutes = max(0, int(seconds // 60))
    if minutes < 60:
        return f"{minutes} min" if minutes else "now"
    return f"{minutes // 60} h" if minutes < 48 * 60 else f"{minutes // 1440} d"


def stamp() -> str:
    """Now, in UTC, as part of a file's name: `20261129T154807Z`."""
    return f"{datetime.now(UTC):%Y%m%dT%H%M%SZ}"
