"""`vlmft replay`: play a run, or any log, again in the console."""

from __future__ import annotations

import os

import typer

from vlmft_console.commands.parameters import Log, Mouse
from vlmft_console.runs.targets import locate
from vlmft_core.errors import VlmftError


def replay(
    path: Log,
    mouse: Mouse = True,
) -> None:
    """Play a run or any training log again: charts and health findings as they were at each moment.

    Exit status: 0; 2 when there is no such run or log, or no terminal to show it on.
    """
    from vlmft_console.app.terminal import GiveBack, refusal

    if why := refusal(os.environ):
        raise VlmftError(why)
    target = locate(path)

    from vlmft_console.app.app import VlmftConsole

    app = VlmftConsole(target, replay=True)
    with GiveBack(app):
        app.run(mouse=mouse)
    raise typer.Exit(app.return_code or 0)
