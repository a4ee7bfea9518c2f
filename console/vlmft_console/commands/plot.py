"""`vlmft plot`: the charts of a log, printed."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import Annotated

import typer
from rich.console import Console
from rich.text import Text

from vlmft_console.charts.draw import draw
from vlmft_console.charts.grid import Grid
from vlmft_console.charts.run_charts import CHARTS, DEFAULT_CHARTS
from vlmft_console.charts.spec import ChartSpec
from vlmft_console.charts.styles import STYLES, Look, speaks_unicode
from vlmft_console.charts.view import View
from vlmft_console.commands.parameters import Log
from vlmft_console.history.loading import read_log
from vlmft_console.history.state import RunState
from vlmft_console.runs.targets import locate
from vlmft_core.errors import VlmftError

_METRICS = ", ".join(f"{chart.key} ({chart.about[0].lower()}{chart.about[1:]})" for chart in CHARTS.values())
_HEIGHT = 16
_WIDEST = 1000
_TALLEST = 200


def plot(
    target: Log,
    metric: Annotated[
        list[str] | None,
        typer.Option(
            "-m",
            "--metric",
            help=f"{_METRICS}. May be given more than once. All, if not.",
        ),
    ] = None,
    width: Annotated[
        int | None,
        typer.Option(min=1, max=_WIDEST, help="Columns. The terminal's, if not given; 80 where there is none."),
    ] = None,
    height: Annotated[int, typer.Option(min=1, max=_TALLEST, help="Lines of each chart.")] = _HEIGHT,
    log: Annotated[bool, typer.Option("--log", help="Logarithmic values.")] = False,
    first: Annotated[int | None, typer.Option("--from", min=0, help="First step to show.")] = None,
    last: Annotated[int | None, typer.Option("--to", min=1, help="Last step to show.")] = None,
) -> None:
    """Print the charts of a log in the terminal: ours, or another tool's."""
    specs = _specs(read_log(locate(target)).state, target, metric)
    views = [_view(spec, first, last, log) for spec in specs]
    print_charts(specs, views, width=width, height=height)


def print_charts(
    specs: Sequence[ChartSpec],
    views: Sequence[View] | None = None,
    *,
    width: int | None = None,
    height: int = _HEIGHT,
) -> None:
    """Print charts below each other, coloured where standard output is a terminal that takes colours.

    Args:
        specs: what to draw.
        views: which part of each; the whole when None.
        width: columns; the terminal's, or 80, when None.
        height: lines of each.
    """
    console = Console(highlight=False, width=width)
    look = Look(speaks_unicode(sys.stdout), color=console.color_system is not None and not console.no_color)
    for index, (spec, view) in enumerate(zip(specs, views or [View()] * len(specs), strict=True)):
        if index:
            console.print()
        _print(console, draw(spec, view, console.width, height, look))


def _specs(state: RunState, target: str, metrics: list[str] | None) -> list[ChartSpec]:
    for metric in metrics or ():
        if metric not in CHARTS:
            raise VlmftError(f"--metric {metric}: there is no such chart", f"it is one of {', '.join(CHARTS)}")
    charts = [CHARTS[metric] for metric in metrics] if metrics else DEFAULT_CHARTS
    found = {chart.key: chart.of(state) for chart in charts}
    empty = [metric for metric, spec in found.items() if spec.extent is None]
    if len(empty) == len(found) or (metrics and empty):
        raise VlmftError(f"{target} has no {empty[0] if len(empty) == 1 else 'values to plot'}")
    return [spec for spec in found.values() if spec.extent is not None]


def _view(spec: ChartSpec, first: int | None, last: int | None, log: bool) -> View:
    scale = True if log else None
    if spec.extent is None or (first is None and last is None):
        return View(log=scale)
    low = min(0.0, spec.extent[0]) if first is None else float(first)
    high = spec.extent[1] if last is None else float(last)
    if high <= low:
        raise VlmftError(f"--from {low:.0f} --to {high:.0f}: no steps lie between")
    return View(span=high - low, right=high, log=scale)


def _print(console: Console, grid: Grid) -> None:
    for row in range(grid.height):
        line = Text(no_wrap=True, overflow="crop")
        for text, style in grid.runs(row):
            line.append(text, STYLES.get(style, ""))
        line.rstrip()
        console.print(line, soft_wrap=True)
