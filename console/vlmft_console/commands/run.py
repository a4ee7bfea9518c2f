"""`vlmft run`: from a preset to an adapter, without a screen."""

from __future__ import annotations

import shutil
import sys
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from vlmft_console.commands.follow import follow
from vlmft_console.commands.output import print_json, say
from vlmft_console.commands.parameters import Detach, Overrides, PresetName
from vlmft_console.commands.progress import BarDisplay, Display, JsonDisplay, PlainDisplay
from vlmft_console.errors import RunFolderError
from vlmft_console.history.own_preset import OwnPreset
from vlmft_console.history.state import RunState
from vlmft_console.paths import OUTPUTS, preset_folders
from vlmft_console.report.summary import summarise, summary_lines
from vlmft_console.runs.folder import RunFolder
from vlmft_console.runs.launching import prepare, start
from vlmft_core.errors import EXIT_INTERRUPTED, EXIT_MISTAKE
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
    output_root: Annotated[Path, typer.Option("--output-root", help="Where run folders are made.")] = OUTPUTS,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Print the exact command and start nothing.")] = False,
    detach: Detach = False,
    json_output: Annotated[bool, typer.Option("--json", help="Print every event, then a summary, as JSON.")] = False,
) -> None:
    """Train PRESET, show the progress, end with an adapter.

    Ctrl-C saves a checkpoint and ends the run; a second Ctrl-C ends it at once. Closing the terminal does not.

    Exit status: 0 finished (or stopped early by its own rules), 130 stopped on request with a checkpoint, 1 failed or
    crashed, 2 a mistake to mend in the preset, the options, the data or the model: nothing was started, 75 the run
    folder is in use.
    """
    loaded = load_preset(preset, preset_folders(), overrides or [])
    launch = prepare(loaded.preset, loaded.name, gpus=gpus, name=run_name, root=output_root, inherited=loaded.inherited)
    if dry_run:
        say(str(launch.command))
        return
    folder, warning = start(launch)
    if detach:
        say(f"{folder.name} runs in {folder.path}")
        if warning:
            say(f"note: {warning}", err=True)
        return
    show(folder, [launch.note, *launch.plan.warnings, warning], json_output, steer=True, fresh=True)


def show(folder: RunFolder, notes: list[str], json_output: bool, *, steer: bool, fresh: bool = False) -> None:
    """Follow a run to its end, print what it came to, and exit with its exit code.

    Args:
        folder: the run folder.
        notes: lines shown first; empty ones are not.
        json_output: print events and figures as JSON.
        steer: whether the run was started here, so that Ctrl-C stops it.
        fresh: whether the run folder was made for this start, so that a mistake found at once leaves nothing behind.
    """
    state = RunState(OwnPreset(folder.events_file()).monitor)
    display = display_for(json_output)
    try:
        for line in notes:
            if line:
                display.say(f"note: {line}")
        display.say(f"{folder.name}: everything is kept in {folder.path}")
        status = follow(folder, state, display, steer=steer)
    finally:
        display.close()
    if status is None:
        say(f"{folder.name} goes on; come back with: vlmft attach {folder.name}", err=json_output)
        return
    if steer and status.exit_code == EXIT_MISTAKE and not state.planned:
        if fresh:
            shutil.rmtree(folder.path)  # it was made a moment ago, for a run that never began
            raise RunFolderError(status.reason)
        say(f"vlmft: {status.reason}", err=True)
        raise typer.Exit(status.exit_code)
    figures = summarise(state, folder, status)
    if json_output:
        print_json({"event": "summary", **figures})
    else:
        say("\n".join(summary_lines(figures, state.seconds)))
        if status.exit_code not in (0, EXIT_INTERRUPTED):
            say(f"  log            {folder.training_log}", err=True)
    raise typer.Exit(status.exit_code)


def display_for(json_output: bool) -> Display:
    """A live line on a terminal, plain lines elsewhere, JSON where it was asked for."""
    if json_output:
        return JsonDisplay()
    console = Console()
    return BarDisplay(console) if console.is_terminal and not console.is_dumb_terminal else PlainDisplay(sys.stdout)
