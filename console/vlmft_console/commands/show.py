"""Showing a run while it goes on, and what it came to: what `run`, `attach`, `resume` and `watch` have in common.

It knows no preset: pydantic takes longer to load than most commands take.
"""

from __future__ import annotations

import shutil
import sys

import typer
from rich.console import Console

from vlmft_console.commands.follow import follow
from vlmft_console.commands.output import print_json, say
from vlmft_console.commands.progress import BarDisplay, Display, JsonDisplay, PlainDisplay
from vlmft_console.errors import RunFolderError
from vlmft_console.history.own_preset import OwnPreset
from vlmft_console.history.state import RunState
from vlmft_console.report.summary import summarise, summary_lines
from vlmft_console.runs.folder import RunFolder
from vlmft_core.errors import EXIT_INTERRUPTED, EXIT_MISTAKE


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
            log = folder.training_log or folder.batch_log  # a job's set-up lines may have failed
            if log.exists():
                say(f"  log            {log}", err=True)
    raise typer.Exit(status.exit_code)


def display_for(json_output: bool) -> Display:
    """A live line on a terminal, plain lines elsewhere, JSON where it was asked for."""
    if json_output:
        return JsonDisplay()
    console = Console()
    return BarDisplay(console) if console.is_terminal and not console.is_dumb_terminal else PlainDisplay(sys.stdout)
