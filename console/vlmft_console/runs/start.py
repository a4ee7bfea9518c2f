"""Start a run's supervisor, detached from the terminal and from this process."""

from __future__ import annotations

import subprocess
import sys
import time

from vlmft_console.errors import EXIT_BUSY, MachineError, RunBusyError
from vlmft_console.runs.folder import RunFolder

_START_SECONDS = 30.0


def start_supervisor(folder: RunFolder) -> None:
    """Start the supervisor of `folder` and return once it has started the launcher.

    It has a session of its own and files for its output: no hangup, Ctrl-C or death of this process reaches it.

    Raises:
        RunBusyError: the run has a supervisor, or living ranks, already.
        MachineError: the supervisor or the launcher could not be started.
    """
    errors = folder.logs / "supervisor.log"
    with errors.open("ab") as output:
        began = output.tell()
        supervisor = subprocess.Popen(
            # -P: a folder here called `datasets`, say, must not stand in for a library
            [sys.executable, "-P", "-m", "vlmft_console.runs.supervisor", str(folder.path.absolute())],
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    deadline = time.monotonic() + _START_SECONDS
    while time.monotonic() < deadline:
        status = supervisor.poll()
        found = folder.processes().get("supervisor")
        if found is not None and found.pid == supervisor.pid:
            return
        if status is not None:
            said = errors.read_bytes()[began:].decode(errors="replace").strip().splitlines()
            reason = said[-1] if said else f"exit status {status}"
            raise RunBusyError(reason) if status == EXIT_BUSY else MachineError(f"the supervisor failed: {reason}")
        time.sleep(0.02)
    raise MachineError(f"the supervisor did not start within {_START_SECONDS:.0f} s; see {errors}")
