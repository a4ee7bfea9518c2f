"""`vlmft merge`: a model folder that needs no PEFT."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from vlmft_console.commands.asking import answers
from vlmft_console.commands.completion import checkpoint_names
from vlmft_console.commands.output import print_json, say
from vlmft_console.commands.parameters import Json, Trust, in_home
from vlmft_console.programs.ask import MERGE
from vlmft_console.programs.merge_job import merge_job
from vlmft_console.programs.trained import find_trained
from vlmft_console.runs.preflight import check_libraries
from vlmft_core.figures import filesize


def merge(
    target: Annotated[
        str,
        typer.Argument(
            metavar="RUN[@STEP]|ADAPTER",
            help="A run, one of its checkpoints, or a folder with an adapter.",
            autocompletion=checkpoint_names,
        ),
    ],
    output: Annotated[
        Path | None,
        typer.Option(
            "--output",
            "-o",
            help="The model folder to make. [default: merged, or merged-STEP, in the run folder]",
            callback=in_home,
        ),
    ] = None,
    trust: Trust = False,
    json_output: Json = False,
) -> None:
    """Write base and adapter as one model for plain transformers. Weights are bf16 safetensors.

    It is done on the CPU and needs the base's size in memory and on the disk. The folder is there whole or not at all.

    Exit status: 0, 1 when it broke, 2 for a mistake, 130 interrupted.
    """
    check_libraries()
    # Merging is the CPU's work, in bf16, whatever the training ran on.
    trained = find_trained(target, None, [], trust=trust)
    for name, value in answers(MERGE, merge_job(trained, output)):
        if name == "merged":
            _print(value, json_output)


def _print(merged: dict[str, object], json_output: bool) -> None:
    if json_output:
        print_json(merged)
        return
    say(f"merged model: {merged['folder']} ({filesize(int(str(merged['bytes'])))})")
