"""Supervisor start: detached from the terminal and from this process, and whether it worked."""

from __future__ import annotations

import os
import subprocess
import sys
import time

from vlmft_console.errors import MachineError, RunBusyError, RunFolderError
from vlmft_console.figures import clock
from vlmft_console.runs.exit_record import full_disk
from vlmft_console.runs.folder import RunFolder
from vlmft_console.runs.logout import login_name, outlive_logout
from vlmft_console.runs.processes import RUN_ID
from vlmft_core.durable import open_own
from vlmft_core.errors import EXIT_BUSY

_START_SECONDS = 30.0


def start_supervisor(folder: RunFolder, *, adopt: bool = False) -> str:
    """Start the supervisor of `folder` and return once it has started the launcher.

    It has a session of its own and files for its output: no hangup, Ctrl-C or death of this process reaches it, and
    where a logout would, it runs in a scope of its own.

    Args:
        folder: the run folder.
        adopt: take over the processes of a supervisor that was killed instead of starting a launcher.

    Returns:
        A warning that the run may not outlive the logout, or an empty string.

    Raises:
        RunFolderError: its folder is gone, or cannot be written.
        RunBusyError: the run has a supervisor, or living ranks, already.
        MachineError: the supervisor or the launcher could not be started.
    """
    scope, warning = outlive_logout(login_name())
    errors = folder.supervisor_log
    try:
        descriptor = open_own(errors, os.O_WRONLY | os.O_APPEND)
    except OSError as error:
        raise RunFolderError(f"{errors} cannot be written: {error.strerror}") from None
    with os.fdopen(descriptor, "ab") as output:
        began = output.seek(0, os.SEEK_END)
        supervisor = subprocess.Popen(
            [
                *scope,
                # -P: a folder here called `datasets`, say, must not stand in for a library
                *(sys.executable, "-P", "-m", "vlmft_console.runs.supervisor", str(folder.path.absolute())),
                *(["--adopt"] if adopt else []),
            ],
            env={key: value for key, value in os.environ.items() if key != RUN_ID},  # of a run that this is called in
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    deadline = time.monotonic() + _START_SECONDS
    while time.monotonic() < deadline:
        status = supervisor.poll()
        record = folder.process_record()
        if record.launcher and record.supervisor and record.supervisor.pid == supervisor.pid:
            return warning
        if status is not None:
            said = errors.read_bytes()[began:].decode(errors="replace").strip().splitlines()
            reason = said[-1] if said else full_disk(folder) or f"exit status {status}"
            raise RunBusyError(reason) if status == EXIT_BUSY else MachineError(f"the supervisor failed: {reason}")
        time.sleep(0.02)
    raise MachineError(f"the supervisor did not start within {clock(_START_SECONDS)}; see {errors}")
