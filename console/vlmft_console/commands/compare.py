"""`vlmft compare`: runs side by side, and which was better."""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING, Annotated, Any

import typer

from vlmft_console.commands.completion import run_names

if TYPE_CHECKING:
    from collections.abc import Sequence

    from vlmft_console.charts.spec import Unit
    from vlmft_console.history.loading import ReadLog
    from vlmft_console.report.compare import Row


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
    json_output: Annotated[bool, typer.Option("--json", help="Print JSON for a script.")] = False,
) -> None:
    """Lay runs over each other: their losses, how their presets differ, what they came to, which was better."""
    from vlmft_console.errors import shown_once
    from vlmft_console.history.loading import read_log
    from vlmft_console.report.compare import better, check_count, outcomes, preset_differences
    from vlmft_console.runs.targets import locate
    from vlmft_console.sanitize import sanitize

    with shown_once():
        check_count(len(targets))
        runs = [read_log(locate(target)) for target in targets]
    differences, results, judged = preset_differences(runs), outcomes(runs), better(runs)
    if json_output:
        import orjson

        from vlmft_console.sanitize import redacted

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
        typer.echo(orjson.dumps(redacted(answer)).decode())
        return
    _print_charts(runs, by)
    _print_rows(runs, results)
    if differences:
        typer.echo()
        _print_rows(runs, differences)
    typer.echo()
    typer.echo(sanitize(judged.text))


def _as_json(rows: Sequence[Row]) -> dict[str, Any]:
    return {row.label: list(row.texts) for row in rows}


def _print_charts(runs: Sequence[ReadLog], by: By) -> None:
    from vlmft_console.charts.overlay import overlay_chart
    from vlmft_console.commands.plot import print_charts

    named = [(run.name, run.state) for run in runs]
    print_charts([overlay_chart(named, metric, _UNITS[by]) for metric in ("loss", "eval_loss")])


def _print_rows(runs: Sequence[ReadLog], rows: Sequence[Row]) -> None:
    from vlmft_console.commands.tables import add_row, new_table, print_table

    table = new_table("", *(f"{number} {run.name}" for number, run in enumerate(runs, 1)))
    for row in rows:
        texts = (f"{text} *" if index == row.best else text for index, text in enumerate(row.texts))
        add_row(table, row.label, *texts)
    print_table(table)
