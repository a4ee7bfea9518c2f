"""`vlmft eval`: base and adapter answer the same questions, scored by the same harness."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Annotated, Any

import typer

from vlmft_console.commands.asking import answers
from vlmft_console.commands.completion import checkpoint_names, preset_names
from vlmft_console.commands.output import add_row, new_table, print_json, print_table, say
from vlmft_console.commands.parameters import Json, Overrides, Trust, in_home
from vlmft_console.figures import accuracy, points
from vlmft_console.presets.table import expected_text
from vlmft_console.programs.ask import EVAL
from vlmft_console.programs.eval_job import eval_job, figures
from vlmft_console.programs.trained import find_trained, processes_for
from vlmft_core.figures import short
from vlmft_core.scoring.chance import Paired


def evaluate(
    target: Annotated[
        str,
        typer.Argument(
            metavar="RUN[@STEP]|ADAPTER|BASE",
            help="A run, one of its checkpoints, an adapter's folder, or a base model: a folder, a hub name, demo.",
            autocompletion=checkpoint_names,
        ),
    ],
    task: Annotated[
        str | None, typer.Option("--task", metavar="TASK|SOURCE", help="Ask one task, or one of the preset's sources.")
    ] = None,
    split: Annotated[str | None, typer.Option("--split", help="Ask this split, such as test.")] = None,
    limit: Annotated[
        int | None,
        typer.Option("--limit", min=0, help="Questions of each task, 0 for all. [default: what the training asked]"),
    ] = None,
    gpus: Annotated[
        int | None, typer.Option("--gpus", min=1, help="Share the questions among this many GPUs, or CPU processes.")
    ] = None,
    preset: Annotated[
        str | None,
        typer.Option("--preset", help="How a model of no run is asked.", autocompletion=preset_names),
    ] = None,
    overrides: Overrides = None,
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="Folder for answers and scores.", callback=in_home)
    ] = None,
    trust: Trust = False,
    json_output: Json = False,
) -> None:
    """Let base and adapter answer eval questions, side by side.

    Greedy answers, worded and scored as lmms-eval does it. Without options the questions are those that the training
    asked before and after, and the scores are the same. Answers are kept as they come: interrupted, the same command
    goes on where it was.

    Exit status: 0, 1 when the eval broke, 2 for a mistake in the options, the model or the data, 130 interrupted.
    """
    trained = find_trained(target, preset, overrides or [], trust=trust)
    job = eval_job(trained, task, split, limit, output)
    processes = processes_for(trained.preset, gpus)
    folder = Path(job.folder)
    say(f"answers are kept in {folder}", err=True)
    scores: Mapping[str, Any] = {}
    for name, value in answers(EVAL, job, processes, folder / "eval.log"):
        if name == "scores":
            scores = value
    found = figures(trained, job, scores)
    if json_output:
        print_json(found)
        return
    print_scores(found)


def print_scores(found: Mapping[str, Any]) -> None:
    """The figures as a table, one row for each task and each part of it."""
    lines = []
    for task, one in found["tasks"].items():
        for name, base, tuned in rows(one):
            main = name == one["metric"]
            expected, published = (one["expected"], one["published"]) if main else (None, None)
            lines.append(
                (
                    f"{task} {name.replace('_', ' ')}" if main else f"  {name}",
                    f"{one['questions']:,}" if main else "",
                    accuracy(base, one["questions"] if main else None),
                    accuracy(tuned, one["questions"] if main else None),
                    "" if base is None or tuned is None else points(tuned - base),
                    expected_text(expected) if expected else "",
                    "" if published is None else f"{short(published)} %",
                )
            )
    headings = ("", "asked", "base", "tuned", "change", "expected", "published base")
    shown = [column for column in range(len(headings)) if any(line[column] for line in lines)]
    table = new_table(*(headings[column] for column in shown))
    for line in lines:
        add_row(table, *(line[column] for column in shown))
    print_table(table)
    for task, one in found["tasks"].items():
        if pair := Paired.read(one["against_base"]):
            say(f"{task}: tuned {pair.says}")
    say(f"answers and scores: {found['folder']}")


def rows(one: Mapping[str, Any]) -> Iterator[tuple[str, float | None, float | None]]:
    """A task's figures (name, base, tuned), the one that stands for it first."""
    base, tuned = one["base"], one["tuned"] or {}
    names = sorted(base.keys() - {"n", "low", "high"}, key=lambda name: (name != one["metric"], name))
    yield from ((name, base.get(name), tuned.get(name)) for name in names)
