"""Exit record: how a run ended. Written once, whole, and even on a full disk."""

from __future__ import annotations

import json
import os
import shutil
import time
from collections.abc import Sequence
from typing import IO

from vlmft_console.runs.folder import RunFolder
from vlmft_console.runs.verdict import CRASHED, Verdict
from vlmft_core.durable import delete, open_own
from vlmft_core.run_folder.events import FAILED

_RESERVED = 16384
_FULL = 1 << 20
"""A disk with fewer bytes left is called full."""


def full_disk(folder: RunFolder) -> str:
    """That the run's disk is full, in words; empty if it is not."""
    full = shutil.disk_usage(folder.path).free < _FULL
    return f"the disk of {folder.path.resolve()} is full" if full else ""


class ExitFile:
    """Takes its disk space at the start of the run, when there is some.

    Raises:
        OSError: the folder cannot be written, or has no space for a few kilobytes.
    """

    def __init__(self, folder: RunFolder) -> None:
        self._folder = folder
        self._reserve = folder.exit_reserve
        delete(self._reserve)
        with self._opened(os.O_EXCL) as file:
            file.write(b" " * _RESERVED)
            file.flush()
            os.fsync(file.fileno())

    def write(self, verdict: Verdict, survivors: Sequence[int]) -> None:
        """Say how it ended.

        Args:
            verdict: what the witnesses add up to.
            survivors: processes that not even KILL could end; they may hold a GPU.
        """
        reason = verdict.reason[:4000]
        if verdict.status in (FAILED, CRASHED) and (full := full_disk(self._folder)):
            reason += f"; {full}"
        record = {
            "status": verdict.status,
            "reason": reason,
            "exit_code": verdict.exit_code,
            "survivors": list(survivors[:256]),
            "t": time.time(),
        }
        if self._reserve.is_symlink() or not self._reserve.is_file():  # somebody put something else there
            delete(self._reserve)
        if self._folder.exit_file.is_dir():
            delete(self._folder.exit_file)
        # Overwritten in place, blanks and all: this needs no space that could be missing by now.
        with self._opened() as file:
            file.write(json.dumps(record).encode().ljust(_RESERVED - 1) + b"\n")
            file.flush()
            os.fsync(file.fileno())
        self._reserve.replace(self._folder.exit_file)

    def _opened(self, flags: int = 0) -> IO[bytes]:
        return os.fdopen(open_own(self._reserve, os.O_WRONLY | flags), "wb")
