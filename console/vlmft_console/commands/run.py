"""`vlmft run`: from a preset to an adapter, without a screen."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from vlmft_console.commands.completion import place_names
from vlmft_console.commands.output import say
from vlmft_console.commands.parameters import Detach, Overrides, PresetName, in_home
from vlmft_console.commands.show import show
from vlmft_console.paths import OUTPUTS, preset_folders
from vlmft_console.places.chosen import chosen_place
from vlmft_console.places.place import Slurm
from vlmft_console.runs.launching import prepare, start
from vlmft_core.preset import load_preset


def run(
    preset: PresetName,
    overrides: Overrides = None,
    gpus: Annotated[
        int | None, typer.Option("--gpus", min=1, help="Use this many GPUs and keep the effective batch.")
    ] = None,
    run_name: Annotated[
        str | None, typer.Option("--run-name", help="The run folder's name. [default: PRESET-UTC time]")
    ] = None,
    slurm: Annotated[
        list[str] | None,
        typer.Option(
            "--slurm",
            metavar="OPTION=VALUE,…",
            help="Train as a job of this Slurm cluster; sbatch's long options, such as nodes=2,gpus-per-node=8.",
        ),
    ] = None,
    hosts: Annotated[
        str | None,
        typer.Option(
            "--hosts", metavar="HOST:GPUS,…", help="Train on these machines over ssh, or on those of a hostfile."
        ),
    ] = None,
    on: Annotated[
        str | None,
        typer.Option("--on", metavar="PLACE", help="Train on a place of places.yaml.", autocompletion=place_names),
    ] = None,
    output_root: Annotated[
        Path, typer.Option("--output-root", help="Where run folders are made.", callback=in_home)
    ] = OUTPUTS,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Print the exact command and start nothing.")] = False,
    detach: Detach = False,
    json_output: Annotated[bool, typer.Option("--json", help="Print every event, then a summary, as JSON.")] = False,
) -> None:
    """Train PRESET, show the progress, end with an adapter.

    Ctrl-C saves a checkpoint and ends the run; a second Ctrl-C ends it at once. Closing the terminal does not.

    With --slurm the run waits in the queue first. It goes on by itself after a time limit, or when its nodes were taken
    for another job or lost; `vlmft stop` and Ctrl-C end it for good.

    Exit status: 0 finished (or stopped early by its own rules), 130 stopped on request with a checkpoint, 1 failed or
    crashed, 2 a mistake to mend in the preset, the options, the data or the model: nothing was started, 75 the run
    folder is in use.
    """
    loaded = load_preset(preset, preset_folders(), overrides or [])
    launch = prepare(
        loaded.preset,
        loaded.name,
        gpus=gpus,
        place=chosen_place(on, slurm or (), hosts),
        name=run_name,
        root=output_root,
        inherited=loaded.inherited,
    )
    if dry_run:
        say(launch.shown_command)
        return
    folder, warning = start(launch)
    if detach:
        place = folder.place
        how = f"is job {place.job}," if isinstance(place, Slurm) else "runs"
        say(f"{folder.name} {how} in {folder.path}")
        if warning:
            say(f"note: {warning}", err=True)
        return
    show(folder, [launch.note, *launch.plan.warnings, warning], json_output, steer=True, fresh=True)
