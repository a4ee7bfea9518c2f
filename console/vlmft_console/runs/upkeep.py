"""Upkeep: what the supervisor of a run has left for its later readers, so that none of them reads a long log first."""

from __future__ import annotations

import contextlib
import os
import sys
import time

from vlmft_console.history.long_log import much_is_new
from vlmft_console.runs.folder import RunFolder
from vlmft_console.runs.processes import Identity, look

_LOOK_SECONDS = 0.1


class Upkeep:
    """Has the log of a run read now and then while it grows, and once in the end.

    That is a process of its own, one at a time: it takes several times a supervisor's memory, and in the end the
    programs may be others than those that this process was started with.

    Args:
        folder: the run folder.
    """

    def __init__(self, folder: RunFolder) -> None:
        self._folder = folder
        self._read = 0
        self._reader: Identity | None = None

    def look(self, size: int) -> int | None:
        """Have it read if much has come.

        Args:
            size: bytes of the whole log.

        Returns:
            The child that does it, if one was started: it is none of the run's. Whoever reaps children reaps it.
        """
        if not much_is_new(size, self._read) or (self._reader and self._reader.alive):
            return None
        self._read = size
        self._start()
        return self._reader.pid if self._reader else None

    def finish(self) -> None:
        """Have it read once more, by a process that may outlive this one."""
        while self._reader and self._reader.alive:  # two at once would not both leave a summary
            time.sleep(_LOOK_SECONDS)
        self._start()

    def _start(self) -> None:
        self._reader = None
        program = (sys.executable, "-P", "-m", "vlmft_console.runs.reader", str(self._folder.path.resolve()))
        no_input = (os.POSIX_SPAWN_OPEN, 0, os.devnull, os.O_RDONLY, 0)
        with contextlib.suppress(OSError):  # no process more, or no memory: then there is no upkeep
            seen = look(os.posix_spawn(program[0], program, os.environ, file_actions=[no_input]))
            self._reader = seen.identity if seen else None
