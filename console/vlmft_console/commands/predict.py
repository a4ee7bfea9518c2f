"""`vlmft predict`: ask a trained model about an image."""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from vlmft_console.commands.asking import answers
from vlmft_console.commands.completion import checkpoint_names, preset_names
from vlmft_console.commands.output import print_json, say
from vlmft_console.commands.parameters import Overrides, Trust
from vlmft_console.commands.terminal_picture import drawn_pixels, print_picture
from vlmft_console.programs.ask import PREDICT
from vlmft_console.programs.trained import find_trained, processes_for
from vlmft_core.errors import DataError
from vlmft_core.home import expanded
from vlmft_core.jobs import LONGEST_ANSWER, STANDARD_INPUT, Ask, PredictJob


def predict(
    target: Annotated[
        str,
        typer.Argument(
            metavar="RUN[@STEP]|ADAPTER|BASE",
            help="A run, one of its checkpoints, a folder with an adapter, or a base or merged model.",
            autocompletion=checkpoint_names,
        ),
    ],
    question: Annotated[
        str | None, typer.Argument(metavar="QUESTION", help="What to ask; - reads it from standard input.")
    ] = None,
    images: Annotated[
        list[str] | None,
        typer.Option(
            "--image",
            "-i",
            metavar="FILE",
            help="A picture it is about; may be given again. A data: URL, or - for standard input, will do too.",
        ),
    ] = None,
    batch: Annotated[
        str | None,
        typer.Option(
            "--batch",
            metavar="FILE",
            help='A JSONL file of {"image": path, "question": text}, or with "images": [paths]; - for standard input.',
        ),
    ] = None,
    task: Annotated[
        str | None, typer.Option("--task", help="Word the question as chartqa or textvqa does in training.")
    ] = None,
    max_new_tokens: Annotated[
        int, typer.Option("--max-new-tokens", min=1, max=4096, help="Longest answer.")
    ] = LONGEST_ANSWER,
    preset: Annotated[
        str | None,
        typer.Option("--preset", help="How a model of no run is loaded.", autocompletion=preset_names),
    ] = None,
    overrides: Overrides = None,
    trust: Trust = False,
    json_output: Annotated[bool, typer.Option("--json", help="Print one JSON object for each answer.")] = False,
) -> None:
    """Ask a trained model, or its base, about images.

    Answers are greedy. A terminal with colours shows the pictures, too.

    Exit status: 0, 1 when it broke, 2 for a mistake, 130 interrupted.
    """
    if [question, batch, *(images or [])].count(STANDARD_INPUT) > 1:
        raise DataError("- is given more than once", "standard input can be read only once")
    if question == STANDARD_INPUT:
        question = sys.stdin.read().strip()
    if question is None and batch is None:
        raise DataError("nothing is asked", "give a question, or a file with --batch")
    if question is not None and not question.strip():
        raise DataError("the question is empty", "give one in quotes, or a file with --batch alone")
    if "" in (images or []):
        raise DataError("--image without a file", "give its name")
    if question is None and images:
        raise DataError("--image without a question", "give a question too")
    if task not in (None, "chartqa", "textvqa"):
        raise DataError(f"--task {task}: questions are worded for chartqa and textvqa only")
    # Of `--image=~/x` no shell has replaced the `~`.
    images = [str(expanded(image)) if image.startswith("~") else image for image in images or []]
    batch = str(expanded(batch)) if batch and batch.startswith("~") else batch
    trained = find_trained(target, preset, overrides or [], trust=trust)
    processes_for(trained.preset, 1)
    columns, rows = (0, 0) if json_output else drawn_pixels()
    job = PredictJob(
        preset=trained.preset,
        adapter=str(trained.adapter) if trained.adapter else None,
        questions=[] if question is None else [Ask(question=question, images=images)],
        batch=batch,
        task=task,
        max_new_tokens=max_new_tokens,
        columns=columns,
        rows=rows,
    )
    several = batch is not None
    for name, value in answers(PREDICT, job):
        if name != "answer":
            continue
        for small in value.get("pictures", []):
            print_picture(small)
        if json_output:
            print_json(value)
        elif several:
            about = ", ".join(value["images"])
            say(f"{about + ': ' if about else ''}{value['question']} -> {value['answer']}")
        else:
            say(value["answer"])
