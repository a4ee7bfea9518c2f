"""`vlmft replay`: play a run, or any log, again in the console."""

from __future__ import annotations

import os
from typing import Annotated

import typer

from vlmft_console.app.terminal import GiveBack, refusal
from vlmft_console.commands.parameters import EvalSet, Log, RunNumber
from vlmft_console.history.choice import Choice
from vlmft_console.runs.targets import locate
from vlmft_core.errors import VlmftError


def replay(
    path: Log,
    mouse: Annotated[bool, typer.Option(help="Whether the mouse is the console's or the terminal's.")] = True,
    run: RunNumber = None,
    eval_set: EvalSet = None,
) -> None:
    """Play any training log again, as it was at each moment. With charts and health findings.

    Exit status: 0; 2 when there is no such run or log, or no terminal to show it on.
    """
    if why := refusal(os.environ):
        raise VlmftError(why)
    target = locate(path)

    from vlmft_console.app.app import VlmftConsole  # Textual last: a mistake is told at once

    app = VlmftConsole(target, replay=Choice(run, eval_set))
    with GiveBack(app):
        app.run(mouse=mouse)
    raise typer.Exit(app.return_code or 0)
