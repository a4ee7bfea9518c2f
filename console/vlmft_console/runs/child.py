"""The training process of one run, in a session of its own."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import time
from datetime import UTC, datetime
from pathlib import Path

from vlmft_console.errors import MachineError
from vlmft_console.runs.folder import RunFolder
from vlmft_console.runs.launch import Command


class Child:
    """DeepSpeed's launcher and everything it started.

    It owns no terminal: its input is the null device and its output a file, in a session of its own. So a hangup, a
    Ctrl-C or the death of the program that started it does not reach it.

    Raises:
        MachineError: the launcher cannot be started.
    """

    def __init__(self, command: Command, folder: RunFolder) -> None:
        self.log = folder.logs / f"training_{datetime.now(UTC):%Y%m%dT%H%M%SZ}.log"
        with self.log.open("xb") as output:
            try:
                self._process = subprocess.Popen(
                    command.argv,
                    env={**os.environ, **command.env},
                    stdin=subprocess.DEVNULL,
                    stdout=output,
                    stderr=subprocess.STDOUT,
                    start_new_session=True,
                )
            except OSError as error:
                raise MachineError(f"{command.argv[0]} cannot be started: {error.strerror}") from None

    def poll(self) -> int | None:
        """The launcher's exit status (negative: the signal that killed it), or None while it runs."""
        return self._process.poll()

    def left(self) -> list[int]:
        """Process ids of the run's session that are still alive."""
        return [pid for pid, session in _sessions() if session == self._process.pid]

    def end(self, grace: float) -> list[int]:
        """TERM to every process of the session at once, KILL after `grace` seconds.

        Returns:
            The processes that were still there 10 seconds after the KILL.
        """
        for number, patience in ((signal.SIGTERM, grace), (signal.SIGKILL, 10.0)):
            for pid in self.left():
                _signal(pid, number)
            deadline = time.monotonic() + patience
            while self.left() and time.monotonic() < deadline:
                self._process.poll()  # reaps the launcher, which would count as left otherwise
                time.sleep(0.05)
        return self.left()


def _sessions() -> list[tuple[int, int]]:
    """Process id and session id of every live process (zombies are dead)."""
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                # the name before the last parenthesis may hold anything; after it: state ppid pgrp session …
                fields = (entry / "stat").read_text().rpartition(")")[2].split()
            except (OSError, UnicodeDecodeError):
                continue
            if fields[0] != "Z":
                found.append((int(entry.name), int(fields[3])))
    return found


def _signal(pid: int, number: signal.Signals) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, number)
