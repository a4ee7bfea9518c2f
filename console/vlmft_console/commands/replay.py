"""`vlmft replay`: play a run, or any log, again in the console."""

from __future__ import annotations

from typing import Annotated

import typer

from vlmft_console.commands.completion import run_names


def replay(
    path: Annotated[
        str, typer.Argument(help="A run's name, a run folder or any training log.", autocompletion=run_names)
    ],
    mouse: Annotated[bool, typer.Option(help="Whether the mouse is the console's or the terminal's.")] = True,
) -> None:
    """Play a run or any training log again: charts and health findings as they were at each moment.

    Exit status: 0; 2 when there is no such run or log, or no terminal to show it on.
    """
    import os

    from vlmft_console.app.terminal import GiveBack, refusal
    from vlmft_console.errors import shown_once
    from vlmft_console.runs.targets import locate
    from vlmft_core.errors import VlmftError

    with shown_once():
        if why := refusal(os.environ):
            raise VlmftError(why)
        target = locate(path)

    from vlmft_console.app.app import VlmftConsole

    app = VlmftConsole(target, replay=True)
    with GiveBack(app):
        app.run(mouse=mouse)
    raise typer.Exit(app.return_code or 0)
