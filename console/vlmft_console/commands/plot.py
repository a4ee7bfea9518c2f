"""`vlmft plot`: the charts of a log, printed."""

from __future__ import annotations

import math
import sys
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.text import Text

from vlmft_console.charts.draw import draw
from vlmft_console.charts.grid import Grid
from vlmft_console.charts.run_charts import CHARTS, DEFAULT_CHARTS, metric_chart
from vlmft_console.charts.smoothing import smooth
from vlmft_console.charts.spec import ChartSpec
from vlmft_console.charts.styles import STYLES, Look, speaks_unicode
from vlmft_console.charts.view import View
from vlmft_console.commands.completion import metric_names
from vlmft_console.commands.output import add_row, new_table, print_json, print_table, say, waiting, write_file
from vlmft_console.commands.parameters import EvalSet, Force, Log, RunNumber, in_home
from vlmft_console.figures import whole
from vlmft_console.history.choice import Choice
from vlmft_console.history.chosen import chosen
from vlmft_console.history.loading import read_log
from vlmft_console.history.metrics import Measured
from vlmft_console.history.series import Series
from vlmft_console.history.state import RunState
from vlmft_console.report.picture_file import ENDINGS, picture
from vlmft_console.runs.targets import locate
from vlmft_core.errors import VlmftError
from vlmft_core.figures import figure

_CHARTS = ", ".join(f"{chart.key} ({chart.about[0].lower()}{chart.about[1:]})" for chart in CHARTS.values())
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
            metavar="NAME",
            autocompletion=metric_names,
            help=f"A metric's name, or a regular expression for several: {_CHARTS}, or any other that --list names. May"
            " be given more than once. The charts of all runs, if not.",
        ),
    ] = None,
    list_them: Annotated[bool, typer.Option("--list", help="List the metrics of the log instead.")] = False,
    json_output: Annotated[
        bool, typer.Option("--json", help="Print JSON for a script: the points, or the list.")
    ] = False,
    width: Annotated[
        int | None,
        typer.Option(min=1, max=_WIDEST, help="Columns. The terminal's, if not given; 80 where there is none."),
    ] = None,
    height: Annotated[
        int | None, typer.Option(min=1, max=_TALLEST, help=f"Lines of each chart; {_HEIGHT}, if not given.")
    ] = None,
    log: Annotated[bool, typer.Option("--log", help="Logarithmic values.")] = False,
    first: Annotated[int | None, typer.Option("--from", min=0, help="First step to show.")] = None,
    last: Annotated[int | None, typer.Option("--to", min=1, help="Last step to show.")] = None,
    output: Annotated[
        Path | None,
        typer.Option(
            "-o",
            "--out",
            "--output",
            help="Write them to this file instead: a picture, .svg or .png.",
            callback=in_home,
        ),
    ] = None,
    force: Force = False,
    run: RunNumber = None,
    eval_set: EvalSet = None,
) -> None:
    """Draw the charts of any training log, here or into a file."""
    drawn_as = {"--width": width, "--height": height}
    if output is not None:
        _refuse_unused("a picture", {**drawn_as, "--list": list_them, "--json": json_output})
        if output.suffix.lower() not in ENDINGS:
            raise VlmftError(f"--out {output}: charts are written as .svg or .png")
    elif list_them:
        _refuse_unused("--list", {**drawn_as, "--log": log, "--from": first, "--to": last})
    elif json_output:
        _refuse_unused("--json", {**drawn_as, "--log": log})
    with waiting() as tell:
        read = read_log(locate(target), Choice(run, eval_set), tell)
    state = read.state
    if run is None and read.several:
        say(read.several, err=True)
    if list_them:
        _list(state, metric, json_output)
        return
    if json_output:
        wanted = {name: state.by_name[name] for name in chosen(metric or [""], state.by_name)}
        _refuse_empty([_extent(series) for series in wanted.values()], first, last, target)
        print_json({name: _points(series, first, last) for name, series in wanted.items()})
        return
    specs = _specs(state, target, metric)
    _refuse_empty([spec.extent for spec in specs], first, last, target)
    views = [_view(spec, first, last, log) for spec in specs]
    if output is not None:
        drawn = picture(list(zip(specs, views, strict=True)), read.name, output.suffix.lower())
        write_file(output, drawn, force=force)
        say(f"written: {output}")
        return
    print_charts(specs, views, width=width, height=height or _HEIGHT)


def _refuse_unused(where: str, options: Mapping[str, object]) -> None:
    unused = [option for option, value in options.items() if value is not None and value is not False]
    if unused:
        raise VlmftError(f"{where} has no use for {' and '.join(unused)}", "leave that away")


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
        _print(console, draw(spec, view, console.width, height, look, printed=True))


def _list(state: RunState, metrics: list[str] | None, json_output: bool) -> None:
    found = {name: Measured.of(state.by_name[name]) for name in chosen(metrics or [""], state.by_name)}
    if json_output:
        print_json({name: asdict(measured) for name, measured in found.items()})
        return
    table = new_table("metric", "points", "first", "last", "lowest", "highest")
    for name, measured in found.items():
        figures = (measured.first, measured.last, measured.lowest, measured.highest)
        add_row(table, name.replace("\n", "\\n"), f"{measured.points:,}", *(figure(value, "-") for value in figures))
    print_table(table)


def _points(series: Series, first: int | None, last: int | None) -> dict[str, list[float | None]]:
    low, high = -math.inf if first is None else first, math.inf if last is None else last
    points = [(step, value) for step, value in series if low <= step <= high]
    return {"steps": [step for step, _ in points], "values": [value for _, value in points]}


def _specs(state: RunState, target: str, metrics: list[str] | None) -> list[ChartSpec]:
    smooth(state)
    if metrics:
        names = chosen(metrics, state.by_name, CHARTS)
        specs = {name: metric_chart(name, state).of(state) for name in names}
        for name, spec in specs.items():
            if spec.extent is None:
                raise VlmftError(f"{target} has no {name}")
    else:
        specs = {chart.key: chart.of(state) for chart in DEFAULT_CHARTS}
        if all(spec.extent is None for spec in specs.values()):
            specs = {name: metric_chart(name, state).of(state) for name in state.by_name}
        if not specs:
            raise VlmftError(f"{target} has no values to plot")
    return [spec for spec in specs.values() if spec.extent is not None]


def _view(spec: ChartSpec, first: int | None, last: int | None, log: bool) -> View:
    scale = True if log else None
    if spec.extent is None or (first is None and last is None):
        return View(log=scale)
    low = min(0.0, spec.extent[0]) if first is None else float(first)
    high = spec.extent[1] if last is None else float(last)
    if high <= low:  # a single step, in the middle
        low, high = low - 0.5, low + 0.5
    return View(span=high - low, right=high, log=scale)


def _extent(series: Series) -> tuple[float, float] | None:
    return (series.first[0], series.last[0]) if series.first and series.last else None


def _refuse_empty(
    extents: Sequence[tuple[float, float] | None], first: int | None, last: int | None, target: str
) -> None:
    """Say so where nothing would be in what is wanted of a log."""
    there = [extent for extent in extents if extent is not None]
    low, high = -math.inf if first is None else first, math.inf if last is None else last
    if high < low:
        raise VlmftError(f"--from {first} --to {last}: no steps lie between")
    if there and not any(left <= high and low <= right for left, right in there):
        begin, end = min(left for left, _ in there), max(right for _, right in there)
        raise VlmftError(f"{target} has nothing there", f"it goes from {whole(begin)} to {whole(end)}")


def _print(console: Console, grid: Grid) -> None:
    for row in range(grid.height):
        line = Text(no_wrap=True, overflow="crop")
        for text, style in grid.runs(row):
            line.append(text, STYLES.get(style, ""))
        line.rstrip()
        console.print(line, soft_wrap=True)
