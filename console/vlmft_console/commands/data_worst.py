"""`vlmft data worst`: the samples on which a model loses most; wrong labels are among them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, Literal

import typer
from rich.console import Console
from rich.text import Text

from vlmft_console.commands.asking import answers
from vlmft_console.commands.completion import checkpoint_names
from vlmft_console.commands.output import add_row, new_table, print_json, print_table, say
from vlmft_console.commands.parameters import Json, Overrides, Trust
from vlmft_console.commands.terminal_picture import drawn_pixels, print_picture
from vlmft_console.programs.ask import WORST
from vlmft_console.programs.trained import find_trained, processes_for
from vlmft_console.report.worst import LOOKED_AT, described, lists, losses
from vlmft_console.sanitize import sanitize
from vlmft_core.jobs import WorstJob
from vlmft_core.run_folder.events import PLAN
from vlmft_core.run_folder.layout import RunLayout
from vlmft_core.run_folder.segments import records


def worst(
    target: Annotated[
        str,
        typer.Argument(
            metavar="RUN[@STEP]|ADAPTER",
            help="A run, one of its checkpoints, or an adapter's folder.",
            autocompletion=checkpoint_names,
        ),
    ],
    part: Annotated[
        Literal["training", "eval"], typer.Option("--data", help="Which of the run's data is looked at.")
    ] = "training",
    source: Annotated[
        str | None,
        typer.Option("--source", metavar="TASK|SOURCE", help="Only one task, or one of the preset's sources."),
    ] = None,
    limit: Annotated[int, typer.Option("--limit", "-n", min=1, max=1000, help="Samples named, by each measure.")] = 10,
    samples: Annotated[
        int, typer.Option("--samples", min=0, help="Samples looked at, evenly spaced; 0 for all.")
    ] = LOOKED_AT,
    gpus: Annotated[
        int | None, typer.Option("--gpus", min=1, help="Share the work among this many GPUs, or CPU processes.")
    ] = None,
    overrides: Overrides = None,
    trust: Trust = False,
    json_output: Json = False,
) -> None:
    """Name the samples that a model gets most wrong, to find bad labels.

    And those that training made worse. By loss: how unlikely the model finds what the data says. By worsening: how much
    more so than its base. Each with its row, question, truth, both losses in nats a token, what the model answers, and
    on a terminal its picture.

    Exit status: 0, 1 when it broke, 2 for a mistake, 130 interrupted.
    """
    trained = find_trained(target, None, overrides or [], trust=trust)
    columns, rows = drawn_pixels()
    job = WorstJob(
        preset=trained.preset,
        adapter=str(trained.adapter) if trained.adapter else None,
        part=part,
        source=source,
        samples=samples or None,
        limit=limit,
        columns=columns,
        rows=rows,
    )
    found: Mapping[str, Any] = {}
    for name, value in answers(WORST, job, processes_for(trained.preset, gpus), counted="samples looked at"):
        if name == "worst":
            found = value
    if trained.is_run and trained.folder and _changed(trained.folder, part, found["fingerprint"]):
        say(
            f"note: the {part} data is not what {trained.name} had: rows, or names or sizes of images, differ", err=True
        )
    if json_output:
        print_json(without_pictures(found) | {"model": trained.name, "data": part}, indent=True)
    else:
        print_worst(found, part)


def _changed(run: Path, part: str, data: str) -> bool:
    """Whether a run's log has another fingerprint of its data."""
    key = "train_data" if part == "training" else "eval_data"
    plans = [record for record in records(RunLayout(run).segments) if record["event"] == PLAN]
    return bool(plans) and plans[-1].get(key) not in (None, "", data)


def without_pictures(found: Mapping[str, Any]) -> dict[str, Any]:
    """The answer of the program as JSON for a script."""
    shown = [{key: value for key, value in one.items() if key != "picture"} for one in found["found"]]
    return {**found, "found": shown}


def print_worst(found: Mapping[str, Any], part: str) -> None:
    """Print both lists; what is in the first is only named in the second."""
    told: set[int] = set()
    for title, indices in lists(found, part):
        _heading(title)
        _print_samples(found["found"], indices, told)
        told |= set(indices)
    if not found["by_worsening"] and any(one["tuned"] is not None for one in found["found"]):
        say("the adapter loses less than its base on every sample")


def _print_samples(found: Sequence[Mapping[str, Any]], indices: Sequence[int], told: set[int]) -> None:
    for number, index in enumerate(indices, 1):
        one = found[index]
        where = f"{number}. {one['where']}: {losses(one)}"
        _heading(where if index not in told else f"{where}, see above")
        if index in told:
            continue
        table = new_table()
        for label, text in described(one):
            add_row(table, label, text)
        print_table(table)
        print_picture(one["picture"])


def _heading(text: str) -> None:
    Console(highlight=False).print(Text(sanitize(text), style="bold"), soft_wrap=True)
