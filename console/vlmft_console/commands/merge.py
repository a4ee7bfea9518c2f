"""`vlmft merge`: a model folder that needs no PEFT."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from vlmft_console.commands.asking import answers
from vlmft_console.commands.completion import run_names
from vlmft_console.commands.output import print_json, say
from vlmft_console.commands.parameters import Json, Trust
from vlmft_console.errors import RunFolderError
from vlmft_console.programs.ask import MERGE
from vlmft_console.programs.trained import find_trained
from vlmft_console.runs.preflight import check_libraries
from vlmft_core.filesize import filesize
from vlmft_core.jobs import MergeJob


def merge(
    target: Annotated[
        str,
        typer.Argument(
            metavar="RUN|ADAPTER",
            help="A run, or a folder with an adapter (a checkpoint too).",
            autocompletion=run_names,
        ),
    ],
    output: Annotated[
        Path | None,
        typer.Option("--output", "-o", help="The model folder to make. [default: merged, in the run folder]"),
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
    if trained.adapter is None or trained.folder is None:
        raise RunFolderError(f"{target} is a base model: there is nothing to merge")
    folder = (output or trained.folder / "merged").absolute()
    if folder.exists():
        raise RunFolderError(f"{folder} exists already", "choose another folder with -o")
    job = MergeJob(preset=trained.preset, adapter=str(trained.adapter), folder=str(folder))
    for name, value in answers(MERGE, job):
        if name == "merged":
            _print(value, json_output)


def _print(merged: dict[str, object], json_output: bool) -> None:
    if json_output:
        print_json(merged)
        return
    say(f"merged model: {merged['folder']} ({filesize(int(str(merged['bytes'])))})")
