"""Pinned run folder: found by the process that pinned it wherever it is moved to."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path
from typing import TypeVar

from vlmft_core.run_folder.layout import RunLayout

Run = TypeVar("Run", bound=RunLayout)


def pinned(run: Run) -> Run:
    """The same folder by a path that means it, and no other, for as long as this process and its children by fork live,
    whatever it is called by then. `Path.resolve` tells what it is called.

    Raises:
        OSError: there is no such folder, or it is closed to us.
    """
    descriptor = os.open(run.path, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    return replace(run, path=Path(f"/proc/self/fd/{descriptor}"))
