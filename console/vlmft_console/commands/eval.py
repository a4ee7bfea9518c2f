"""`vlmft eval`: base and adapter answer the same questions, scored by the same harness."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Annotated, Any

import typer

from vlmft_console.commands.asking import answers
from vlmft_console.commands.completion import preset_names, run_names
from vlmft_console.commands.output import add_row, new_table, print_json, print_table, say
from vlmft_console.commands.parameters import Json, Overrides, Trust
from vlmft_console.figures import accuracy
from vlmft_console.paths import OUTPUTS
from vlmft_console.programs.ask import EVAL
from vlmft_console.programs.trained import Trained, find_trained, processes_for
from vlmft_console.report.summary import bounds, score_of
from vlmft_core.chance import Paired
from vlmft_core.errors import DataError
from vlmft_core.jobs import EvalJob, identity
from vlmft_core.metrics import HEADLINE
from vlmft_core.plan.cautions import published_for

EVALS = "evals"
"""Folder of evals, in a run folder or in `outputs`."""


def evaluate(
    target: Annotated[
        str,
        typer.Argument(
            metavar="RUN|ADAPTER|BASE",
            help="A run, a folder with an adapter (a checkpoint too), or a base model: a folder, a hub name, demo.",
            autocompletion=run_names,
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
    output: Annotated[Path | None, typer.Option("--output", "-o", help="Folder for answers and scores.")] = None,
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


def eval_job(trained: Trained, task: str | None, split: str | None, limit: int | None, output: Path | None) -> EvalJob:
    """What is to be asked, and where answers go.

    Args:
        task: a task's name, or the path of one of the preset's sources.
        limit: questions of each task; 0 for all, None for as many as the training asked (of no run's model: all).

    Raises:
        VlmftError: the preset has no such task, or the adapter no weights.
    """
    preset = trained.preset
    sources = [source for source in preset.data.sources if task in (None, source.task, source.path)]
    if not sources:
        there = ", ".join(dict.fromkeys(name for one in preset.data.sources for name in (one.task, one.path)))
        raise DataError(f"--task {task}: the preset has no such task or source", f"it has {there}")
    asked_task = task if task in {source.task for source in sources} else None
    if not (trained.is_run and limit != 0 and split is None and asked_task == task):
        # Other questions than the training's: what it left out, and the other sources, do not matter.
        chosen = [source.model_copy(update={"eval_split": split or source.eval_split}) for source in sources]
        data = preset.data.model_copy(update={"sources": chosen, "max_eval": None})
        preset = preset.model_copy(update={"data": data})
    wanted = (preset.evaluation.answers or None) if limit is None and trained.is_run else limit or None
    job = EvalJob(
        preset=preset,
        adapter=str(trained.adapter) if trained.adapter else None,
        folder="",
        task=asked_task,
        limit=wanted,
    )
    if output is None:
        name = hashlib.sha256(json.dumps(identity(job), sort_keys=True).encode()).hexdigest()[:8]
        if trained.is_run and trained.folder and trained.adapter:
            output = trained.folder / EVALS / f"{trained.adapter.name}-{name}"
        else:
            output = OUTPUTS / EVALS / f"{trained.name}-{name}"
    return job.model_copy(update={"folder": str(output.absolute())})


def figures(trained: Trained, job: EvalJob, scores: Mapping[str, Any]) -> dict[str, Any]:
    """The scores, as shares of one with where they lie 19 times of 20 (`low`, `high`), what the preset expects and
    what is published for the base, in percent."""
    published = published_for(job.preset)
    return {
        "model": trained.name,
        "base": job.preset.model.base,
        "adapter": job.adapter,
        "folder": job.folder,
        "tasks": {
            task: {
                "metric": HEADLINE[task],
                "questions": sides["base"]["n"],
                "base": _bounded(sides["base"], task),
                "tuned": _bounded(sides["tuned"], task) if "tuned" in sides else None,
                "against_base": sides.get("against_base"),
                "expected": job.preset.about.expected.get(task) if job.adapter else None,
                "published": published.get(task),
            }
            for task, sides in scores.items()
        },
    }


def _bounded(scores: Mapping[str, Any], task: str) -> dict[str, Any]:
    low, high = bounds(score_of(scores, task))
    return {**scores, "low": low, "high": high}


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
                    "" if base is None or tuned is None else f"{100 * (tuned - base):+.1f}",
                    " to ".join(dict.fromkeys(f"{value:g} %" for value in expected or ())),
                    "" if published is None else f"{published:g} %",
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
