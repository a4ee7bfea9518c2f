"""`vlmft run`: from a preset to an adapter, without a screen."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from vlmft_console.commands.completion import preset_names
from vlmft_console.paths import OUTPUTS

if TYPE_CHECKING:
    from vlmft_console.commands.progress import Display
    from vlmft_console.runs.folder import RunFolder


def run(
    preset: Annotated[str, typer.Argument(help="A preset's name, or a YAML file.", autocompletion=preset_names)],
    overrides: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="SECTION.KEY=VALUE", help="Change one value; may be given again."),
    ] = None,
    gpus: Annotated[
        int | None, typer.Option("--gpus", min=1, help="Use this many GPUs and keep the effective batch.")
    ] = None,
    run_name: Annotated[
        str | None, typer.Option("--run-name", help="The run folder's name. [default: PRESET-UTC time]")
    ] = None,
    output_root: Annotated[Path, typer.Option("--output-root", help="Where run folders are made.")] = OUTPUTS,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Print the exact command and start nothing.")] = False,
    detach: Annotated[bool, typer.Option("--detach", help="Return as soon as the run has started.")] = False,
    json_output: Annotated[bool, typer.Option("--json", help="Print every event, then a summary, as JSON.")] = False,
) -> None:
    """Train PRESET, show the progress, end with an adapter.

    Ctrl-C saves a checkpoint and ends the run; a second Ctrl-C ends it at once. Closing the terminal does not.

    Exit status: 0 finished (or stopped early by its own rules), 130 stopped on request with a checkpoint, 1 failed or
    crashed, 2 a mistake to mend in the preset, the options, the data or the model: nothing was started.
    """
    from vlmft_console.errors import shown_once
    from vlmft_console.paths import preset_folders
    from vlmft_console.runs.launching import prepare, start
    from vlmft_core.preset import load_preset

    with shown_once():
        loaded = load_preset(preset, preset_folders(), overrides or [])
        launch = prepare(loaded.preset, loaded.name, gpus=gpus, name=run_name, root=output_root)
        if dry_run:
            typer.echo(str(launch.command))
            return
        folder, warning = start(launch)
    if detach:
        typer.echo(f"{folder.name} runs in {folder.path}")
        if warning:
            typer.echo(f"note: {warning}", err=True)
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
    import shutil

    import orjson

    from vlmft_console.commands.follow import follow
    from vlmft_console.errors import RunFolderError, shown_once
    from vlmft_console.history.own_preset import OwnPreset
    from vlmft_console.history.state import RunState
    from vlmft_console.report.summary import summarise, summary_lines
    from vlmft_console.sanitize import redacted
    from vlmft_core.errors import EXIT_INTERRUPTED, EXIT_MISTAKE

    with shown_once():
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
        typer.echo(f"{folder.name} goes on; come back with: vlmft attach {folder.name}", err=json_output)
        return
    if fresh and status.exit_code == EXIT_MISTAKE and state.plan is None:
        with shown_once():
            shutil.rmtree(folder.path)  # it was made a moment ago, for a run that never began
            raise RunFolderError(status.reason)
    figures = summarise(state, folder, status)
    if json_output:
        typer.echo(orjson.dumps(redacted({"event": "summary", **figures})).decode())
    else:
        typer.echo("\n".join(summary_lines(figures, state.seconds)))
        if status.exit_code not in (0, EXIT_INTERRUPTED):
            typer.echo(f"  log            {folder.training_log}", err=True)
    raise typer.Exit(status.exit_code)


def display_for(json_output: bool) -> Display:
    """A live line on a terminal, plain lines elsewhere, JSON where it was asked for."""
    import sys

    from rich.console import Console

    from vlmft_console.commands.progress import BarDisplay, JsonDisplay, PlainDisplay

    if json_output:
        return JsonDisplay()
    console = Console()
    return BarDisplay(console) if console.is_terminal and not console.is_dumb_terminal else PlainDisplay(sys.stdout)
