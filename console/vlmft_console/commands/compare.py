"""`vlmft compare`: runs side by side, and which was better."""

from __future__ import annotations

from collections.abc import Sequence
from enum import StrEnum
from typing import Annotated, Any

import typer

from vlmft_console.charts.overlay import overlay_chart
from vlmft_console.charts.spec import Unit
from vlmft_console.commands.completion import run_names
from vlmft_console.commands.output import add_row, new_table, print_json, print_table, say
from vlmft_console.commands.parameters import Json
from vlmft_console.commands.plot import print_charts
from vlmft_console.history.loading import ReadLog, read_log
from vlmft_console.report import COMPARED
from vlmft_console.report.compare import OutcomeRow, better, outcomes, preset_differences
from vlmft_console.runs.targets import locate
from vlmft_core.errors import VlmftError


class By(StrEnum):
    """What the charts count along."""

    STEP = "step"
    EPOCH = "epoch"
    TIME = "time"


_UNITS: dict[By, Unit] = {By.STEP: "step", By.EPOCH: "epoch", By.TIME: "hours"}


def compare(
    targets: Annotated[
        list[str],
        typer.Argument(help="Two to eight runs or training logs, by name or path.", autocompletion=run_names),
    ],
    by: Annotated[By, typer.Option("--by", help="What the charts count along.")] = By.STEP,
    json_output: Json = False,
) -> None:
    """Lay runs over each other: their losses, how their presets differ, what they came to, which was better."""
    if (count := len(targets)) not in COMPARED:
        runs_word = "run" if count == 1 else "runs"
        raise VlmftError(f"{count} {runs_word} to compare", f"name {COMPARED[0]} to {COMPARED[-1]}")
    runs = [read_log(locate(target)) for target in targets]
    differences, results, judged = preset_differences(runs), outcomes(runs), better(runs)
    if json_output:
        answer = {
            "runs": [run.name for run in runs],
            "preset": _as_json(differences),
            "outcome": _as_json(results),
            "better": {
                "run": None if judged.winner is None else runs[judged.winner].name,
                "measure": judged.measure,
                "values": list(judged.values),
                "text": judged.text,
            },
        }
        print_json(answer)
        return
    _print_charts(runs, by)
    _print_rows(runs, results)
    if differences:
        typer.echo()
        _print_rows(runs, differences)
    typer.echo()
    say(judged.text)


def _as_json(rows: Sequence[OutcomeRow]) -> dict[str, Any]:
    return {row.label: list(row.texts) for row in rows}


def _print_charts(runs: Sequence[ReadLog], by: By) -> None:
    named = [(run.name, run.state) for run in runs]
    print_charts([overlay_chart(named, metric, _UNITS[by]) for metric in ("loss", "eval_loss")])


def _print_rows(runs: Sequence[ReadLog], rows: Sequence[OutcomeRow]) -> None:
    table = new_table("", *(f"{number} {run.name}" for number, run in enumerate(runs, 1)))
    for row in rows:
        texts = (f"{text} *" if index == row.best else text for index, text in enumerate(row.texts))
        add_row(table, row.label, *texts)
    print_table(table)
