"""Figures as text, the same in findings, plans and on screens: what was measured, chosen or counted, and sizes of
files."""

from __future__ import annotations

import math
from typing import Final

GIB: Final = 2**30
"""Bytes."""
_UNITS = ("kB", "MB", "GB", "TB", "PB")


def figure(value: float | None, unknown: str = "nan") -> str:
    """What was measured, to four digits, the same everywhere: `0.08340`, `50.00`, `1,234`, `6.092e-7`; `unknown` for
    None."""
    if value is None:
        return unknown
    if math.isnan(value):
        return "nan"
    size = abs(value)
    if size == 0:
        return "0"
    if size < 1e-3 or size >= 1e7:
        return exponent(value, 4)
    return f"{value:,.0f}" if size >= 999.95 else f"{value:#.4g}"  # four digits of which are 1,000 from there on


def short(value: float) -> str:
    """What was chosen or planned, as people type it: at most four digits, no needless zeros, such as `0.05`, `50`,
    `4e-5`."""
    text = f"{value:.4g}"
    return exponent(value, 4) if "e" in text or 0 < abs(value) < 1e-3 else text


def exponent(value: float, digits: int) -> str:
    """`4e-5`, `1.25e9`: at most `digits` significant digits, no needless zeros."""
    if math.isinf(value):
        return "inf" if value > 0 else "-inf"
    mantissa, power = f"{value:.{digits - 1}e}".split("e")
    if "." in mantissa:
        mantissa = mantissa.rstrip("0").rstrip(".")
    return f"{mantissa}e{int(power)}"


def filesize(size: int) -> str:
    """Bytes with three digits: `4.35 MB`, `132 MB`, `300 kB`; a thousand of a unit are one of the next."""
    size = round(size, min(0, 3 - len(str(size))))  # first, for that can make one of the next unit of it
    power, digits = divmod(len(str(size)) - 1, 3)
    power = min(power, len(_UNITS))
    return f"{size / 1000**power:.{2 - digits}f} {_UNITS[power - 1]}" if power else f"{size} bytes"


def gib(size: float) -> str:
    """Bytes of memory in GiB: `21.0`."""
    return f"{size / GIB:.1f}"


def counted(number: int, thing: str, things: str = "") -> str:
    """A number and what it counts; `things` is its plural where that is not the word with an `s`."""
    return f"{number:,} {thing if number == 1 else things or thing + 's'}"
