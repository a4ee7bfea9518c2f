"""`vlmft compare`: runs side by side, and which was better."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from enum import StrEnum
from itertools import combinations
from typing import Annotated, Any

import typer

from vlmft_console.charts.overlay import overlay_chart
from vlmft_console.charts.run_charts import CHARTS
from vlmft_console.charts.smoothing import smooth
from vlmft_console.charts.spec import Unit
from vlmft_console.commands.completion import metric_names, run_names
from vlmft_console.commands.output import add_row, new_table, print_json, print_table, say, waiting
from vlmft_console.commands.parameters import EvalSet, Json
from vlmft_console.commands.plot import print_charts
from vlmft_console.history.choice import Choice
from vlmft_console.history.chosen import chosen
from vlmft_console.history.loading import ReadLog, read_log
from vlmft_console.history.metrics import Measured
from vlmft_console.report import COMPARED
from vlmft_console.report.better import better
from vlmft_console.report.compare import OutcomeRow, outcomes, preset_differences
from vlmft_console.runs.targets import locate
from vlmft_core.errors import VlmftError
from vlmft_core.figures import counted, figure


class By(StrEnum):
    """What the charts count along."""

    STEP = "step"
    EPOCH = "epoch"
    TIME = "time"


_UNITS: dict[By, Unit] = {By.STEP: "step", By.EPOCH: "epoch", By.TIME: "hours"}


def compare(
    targets: Annotated[
        list[str],
        typer.Argument(
            help="Two to eight runs or training logs, by name or path.", metavar="RUN|LOG", autocompletion=run_names
        ),
    ],
    by: Annotated[By, typer.Option("--by", help="What the charts count along.")] = By.STEP,
    metric: Annotated[
        list[str] | None,
        typer.Option(
            "-m",
            "--metric",
            metavar="NAME",
            autocompletion=metric_names,
            help="A metric's name, or a regular expression for several, of those that `vlmft plot --list` names. May be"
            " given more than once. Train and eval loss, if not.",
        ),
    ] = None,
    json_output: Json = False,
    eval_set: EvalSet = None,
) -> None:
    """Lay runs over each other, and say which was better.

    Their losses, what they came to, and how their presets differ."""
    if (count := len(targets)) not in COMPARED:
        raise VlmftError(f"{counted(count, 'run')} to compare", f"name {COMPARED[0]} to {COMPARED[-1]}")
    with waiting() as tell:
        runs = [read_log(locate(target), Choice(eval_set=eval_set), tell) for target in targets]
    for (first, run), (second, other) in combinations(zip(targets, runs, strict=True), 2):
        if run.log.is_same(other.log):
            raise VlmftError(f"{first} and {second} are the same run", "name each once")
    there = dict.fromkeys(name for run in runs for name in run.state.by_name)
    metrics = chosen(metric, there, CHARTS) if metric else ["loss", "eval_loss"]
    differences, results, judged = preset_differences(runs), outcomes(runs), better(runs)
    if json_output:
        answer = {
            "runs": [run.name for run in runs],
            "preset": _as_json(differences),
            "outcome": _as_json(results),
            "metrics": {name: [_figures(run, name) for run in runs] for name in (metrics if metric else there)},
            "better": {
                "run": None if judged.winner is None else runs[judged.winner].name,
                "measure": judged.measure,
                "values": list(judged.values),
                "low": [low for low, _ in judged.bounds],
                "high": [high for _, high in judged.bounds],
                "p": judged.p,
                "text": judged.text,
            },
        }
        print_json(answer)
        return
    for run in runs:
        if run.several:
            say(f"{run.name}: {run.several}", err=True)
    _print_charts(runs, metrics, by)
    _print_rows(runs, [*results, *(_last_row(runs, name) for name in metrics if metric)])
    if differences:
        typer.echo()
        _print_rows(runs, differences)
    typer.echo()
    say(judged.text)


def _as_json(rows: Sequence[OutcomeRow]) -> dict[str, Any]:
    return {row.label: list(row.texts) for row in rows}


def _figures(run: ReadLog, metric: str) -> dict[str, Any] | None:
    series = run.state.by_name.get(metric)
    return None if series is None else asdict(Measured.of(series))


def _last_row(runs: Sequence[ReadLog], metric: str) -> OutcomeRow:
    found = (run.state.by_name.get(metric) for run in runs)
    return OutcomeRow(
        f"{metric}, last", tuple(figure(series.last[1]) if series and series.last else "-" for series in found)
    )


def _print_charts(runs: Sequence[ReadLog], metrics: Sequence[str], by: By) -> None:
    named = [(run.name, run.state) for run in runs]
    for _, state in named:
        smooth(state)
    print_charts([overlay_chart(named, metric, _UNITS[by]) for metric in metrics])


def _print_rows(runs: Sequence[ReadLog], rows: Sequence[OutcomeRow]) -> None:
    table = new_table("", *(f"{number} {run.name}" for number, run in enumerate(runs, 1)))
    for row in rows:
        texts = (f"{text} *" if index == row.best else text for index, text in enumerate(row.texts))
        add_row(table, row.label, *texts)
    print_table(table)
