"""Chart description: curves, reference lines and marks, apart from how large and which part of it is shown."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, Protocol

from vlmft_console.history.column import Point

Kind = Literal["raw", "smooth", "line", "points", "planned", "old"]
"""How a curve is drawn: `raw` dim, `smooth` and `line` bright, `points` joined by a line, `planned` dashed, `old` as
dim dots (what a resume superseded)."""

Unit = Literal["step", "record", "epoch", "hours"]


class Points(Protocol):
    """A curve's data, as `history.series.Series` gives it."""

    def __len__(self) -> int: ...

    @property
    def first(self) -> Point | None: ...

    @property
    def last(self) -> Point | None: ...

    def decimate(self, x0: float, x1: float, columns: int) -> Sequence[Point]:
        """The points from x0 to x1 in order of x, at most two a column: its lowest and highest."""
        ...

    def nearest(self, x: float) -> Point | None:
        """The point whose x is closest."""
        ...

    def quantiles(self, x0: float, x1: float, low: float, high: float) -> tuple[float, float] | None:
        """Two quantiles (0 to 1) of y from x0 to x1; None when there is nothing there."""
        ...


@dataclass(frozen=True)
class Curve:
    """One curve and its entry in the legend.

    Args:
        label: what the legend and the crosshair call it.
        points: its data.
        kind: how it is drawn.
        style: name of its style, one of `styles.STYLES`; the kind's own when empty.
        tag: one character that marks its last point and its legend entry, where several curves are of one kind.
    """

    label: str
    points: Points
    kind: Kind = "line"
    style: str = ""
    tag: str = ""

    @property
    def style_name(self) -> str:
        return self.style or self.kind


@dataclass(frozen=True)
class ReferenceLine:
    """A horizontal line with a label, as the value above which a gradient norm is worrying."""

    y: float
    label: str
    style: str = "reference"


@dataclass(frozen=True)
class Mark:
    """One character at a place: on the curve where `y` is given, else at the bottom edge of the chart."""

    x: float
    y: float | None
    glyph: str
    plain: str
    """The character where only ASCII can be shown."""
    style: str
    legend: str = ""
    """Its entry in the legend; marks that share one are listed once."""
    short: str = ""
    """Its entry where there is little room; `legend` when empty."""


@dataclass(frozen=True)
class ChartSpec:
    """A chart to draw.

    Args:
        title: its name.
        curves: what to draw, the last one on top.
        headline: the figure beside the title, usually the latest value.
        references: horizontal lines; they stretch the range of y only a little.
        marks: single characters.
        log: whether y starts out logarithmic.
        from_zero: whether a linear y starts at 0, as for what is more or less constant.
        settles: whether a linear y may leave the first values off the scale, as for a loss that falls fast at first;
            they are then named at the edge.
        unit: what x counts.
        whole: range of x of the whole chart; from the data when None.
        limit: largest x there will ever be (the run's last step); None when not known.
        empty: what is said where there is nothing to draw.
        pinned: tag of the curve that the others are held against; empty for none.
        beside: smallest and largest x of the charts beside this one, where all are to show the same range.
    """

    title: str
    curves: tuple[Curve, ...] = ()
    headline: str = ""
    references: tuple[ReferenceLine, ...] = ()
    marks: tuple[Mark, ...] = ()
    log: bool = False
    from_zero: bool = False
    settles: bool = False
    unit: Unit = "step"
    whole: tuple[float, float] | None = None
    limit: float | None = None
    empty: str = "no data"
    pinned: str = ""
    beside: tuple[float, float] | None = None

    def sets_scale(self, curve: Curve) -> bool:
        """Whether `curve` has a say in the range of y. The average of a curve beside it lies within that curve's."""
        return curve.kind != "smooth" or all(other.kind != "raw" for other in self.curves)

    @property
    def extent(self) -> tuple[float, float] | None:
        """Smallest and largest x of the data; None when there is none. Plans do not count: they are no data."""
        ends = [
            (first[0], last[0])
            for curve in self.curves
            if curve.kind != "planned" and (first := curve.points.first) and (last := curve.points.last)
        ]
        return (min(low for low, _ in ends), max(high for _, high in ends)) if ends else None

    @property
    def reach(self) -> tuple[float, float] | None:
        """Smallest and largest x to show: those of the data, and of the charts beside this one."""
        own = self.extent
        if own is None or self.beside is None:
            return own
        return min(own[0], self.beside[0]), max(own[1], self.beside[1])
