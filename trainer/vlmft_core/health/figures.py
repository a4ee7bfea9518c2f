"""Figures that the health rules compare: numbers out of records, changes as shares."""

from __future__ import annotations

TINY = 1e-3
"""A loss this small is not divided by: below it, changes say nothing."""


def number(value: object) -> float | None:
    """A finite number as a float, else None; true and false are none."""
    return float(value) if isinstance(value, int | float) and type(value) is not bool and abs(value) < 1e300 else None


def change(before: float, after: float) -> float:
    """By how much `after` lies above `before`, as a share of it."""
    return (after - before) / max(abs(before), TINY)
