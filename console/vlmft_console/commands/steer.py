"""`vlmft stop`, `resume`, `rm`: change what a run does."""

from __future__ import annotations

import time
from typing import Annotated

import typer

from vlmft_console.commands.output import StatusLine, print_json, say
from vlmft_console.commands.parameters import Detach, Gone, Json, Run, Trust
from vlmft_console.commands.runs import overview
from vlmft_console.commands.show import show
from vlmft_console.figures import clock
from vlmft_console.runs.locks import held
from vlmft_console.runs.registry import find, read_run
from vlmft_console.runs.status import status_of
from vlmft_console.runs.steering import check_deletable, delete_run, stop_run
from vlmft_console.sanitize import sanitize
from vlmft_core.errors import VlmftError
from vlmft_core.figures import short
from vlmft_core.run_folder.stop import PATIENCE_SECONDS, StopRequest

_LONGEST_PATIENCE = 1e9


def stop(
    name: Run,
    now: Annotated[bool, typer.Option("--now", help="End the ranks without a checkpoint.")] = False,
    patience: Annotated[
        float, typer.Option("--patience", min=0, metavar="SECONDS", help="How long the ranks get for the checkpoint.")
    ] = PATIENCE_SECONDS,
    wait: Annotated[bool, typer.Option(help="Wait for the end, counting down.")] = True,
    json_output: Json = False,
) -> None:
    """Stop a run, with a checkpoint at its next step.

    Ranks that have not ended when the patience is over get TERM, and KILL 60 s later. Ctrl-C stops waiting, not the
    stop.

    Exit status: 0 when it has stopped (or goes on stopping, with --no-wait), 2 for a run that is not live.
    """
    if not patience < _LONGEST_PATIENCE:
        raise VlmftError(f"--patience {short(patience)}: no clock shows that", "say how many seconds, such as 600")
    folder = find(name)
    stop_run(folder, StopRequest("vlmft stop", now=now, patience=patience))
    if not wait:
        return
    began = time.monotonic()
    line = StatusLine()
    try:
        # Its supervisor ends a moment after it has said how the run ended; of another host its lock may not be seen.
        while held(folder.lock) or (folder.place is not None and status_of(folder).live):
            left = max(0.0, patience - (time.monotonic() - began))
            line.show("ending the ranks" if now else f"waiting for a checkpoint, {clock(left)} at most")
            time.sleep(0.2)
    except KeyboardInterrupt:
        line.clear()
        say(f"{folder.name} goes on stopping")
        return
    line.clear()
    if json_output:
        print_json(overview(folder, *read_run(folder)))
        return
    state = status_of(folder)
    say(f"{folder.name} {state.state}" + (f": {state.reason}" if state.reason else ""))


def resume(
    name: Run,
    data_changed: Annotated[
        bool, typer.Option("--data-changed", help="Go on although the data is not what the run began with.")
    ] = False,
    trust: Trust = False,
    gone: Gone = False,
    detach: Detach = False,
    json_output: Json = False,
) -> None:
    """Go on with a run from its newest complete checkpoint.

    The data, the number of GPUs and what decides the learning rate must be those of its start. A checkpoint can hold a
    program, so one that others own or may change is refused.

    A run that is unsupervised, because its supervisor was killed while its ranks live, is not started anew: it gets a
    supervisor again and is followed.

    Exit status: as `vlmft run`; 75 when the run is live.
    """
    from vlmft_console.runs.resuming import resume_run  # loads pydantic, which `stop` and `rm` do not need

    folder = find(name)
    began, warning = resume_run(folder, data_changed=data_changed, trust=trust, gone=gone)
    if detach:
        say(began)
        if warning:
            say(f"note: {warning}", err=True)
        return
    show(folder, [warning], json_output, steer=True)


def rm(
    name: Run, yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False, gone: Gone = False
) -> None:
    """Delete a run with its checkpoints and its adapter. Refuses a run that is live."""
    folder = find(name)
    check_deletable(folder, gone=gone)
    if not yes and not typer.confirm(sanitize(f"delete {folder.path} with everything in it?")):
        raise typer.Exit(1)
    delete_run(folder, gone=gone)
