"""Reading: what the crosshair reads off each curve, and how far that is from the pinned one."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from vlmft_console.charts.spec import ChartSpec, Curve
from vlmft_console.charts.ticks import x_label
from vlmft_console.figures import signed
from vlmft_console.history.column import Point
from vlmft_core.figures import figure


@dataclass(frozen=True)
class Reading:
    """One curve at one place.

    Args:
        curve: the curve.
        x: of the point that is nearest.
        y: its value; None where that was not finite.
        difference: from the pinned curve's value there; None where there is no such value.
    """

    curve: Curve
    x: float
    y: float | None
    difference: float | None = None


def readings(spec: ChartSpec, x: float | None) -> Iterator[Reading]:
    """Each curve's point nearest to `x`; its last one for None."""
    pinned = next((curve for curve in spec.curves if curve.tag and curve.tag == spec.pinned), None)
    for curve in spec.curves:
        point = curve.points.last if x is None else curve.points.nearest(x)
        if point is None or curve.kind == "old":
            continue
        yield Reading(curve, *point, None if pinned is None or curve is pinned else _difference(pinned, point))


def reading_words(spec: ChartSpec, x: float) -> list[str]:
    """The place, and each curve's value nearest to it: `step 1,250`, `train 0.4312`, `eval 0.4401 @1,200`; of a curve
    beside a pinned one the difference too: `2 0.4401 (+0.0089)`. What was planned comes last: it is missed
    least."""
    place = x_label(x, spec.unit)
    parts = [f"{spec.unit} {place}"]
    for each in sorted(readings(spec, x), key=lambda one: one.curve.kind == "planned"):
        there = x_label(each.x, spec.unit)
        elsewhere = f" @{there}" if there != place else ""
        difference = f" ({signed(each.difference)})" if each.difference is not None else ""
        parts.append(f"{each.curve.tag or each.curve.label} {figure(each.y)}{difference}{elsewhere}")
    return parts


def _difference(pinned: Curve, point: Point) -> float | None:
    """None where the pinned curve does not reach: its nearest point would be of another part of the training."""
    first, last = pinned.points.first, pinned.points.last
    if first is None or last is None or not first[0] <= point[0] <= last[0]:
        return None
    there = pinned.points.nearest(point[0])
    if there is None or there[1] is None or point[1] is None:
        return None
    return point[1] - there[1]
