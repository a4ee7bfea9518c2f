"""Leaving the queue: a run whose job waits is stopped by taking the job out of it."""

from __future__ import annotations

import os

from vlmft_console.places import slurm
from vlmft_console.places.place import Slurm
from vlmft_console.runs.exit_record import ExitFile
from vlmft_console.runs.folder import RunFolder
from vlmft_console.runs.locks import acquire
from vlmft_console.runs.verdict import Verdict
from vlmft_core.errors import EXIT_INTERRUPTED
from vlmft_core.run_folder.checkpoints import complete_ones
from vlmft_core.run_folder.events import STOPPED
from vlmft_core.run_folder.stop import StopRequest


def leave_queue(folder: RunFolder, request: StopRequest) -> None:
    """Cancel a queued run's job, and say how the run ended. The request must be there already: a job that starts at
    this moment finds it.

    Raises:
        VlmftError: Slurm does not do so.
    """
    place = folder.place
    if not isinstance(place, Slurm):
        return
    slurm.cancel(place.job)
    lock = acquire(folder.lock)
    if lock is None:  # it has started: its supervisor ends it
        return
    try:
        newest = max((one.step for one in complete_ones(folder)), default=None)
        kept = "it was never started" if newest is None else f"step {newest:,} is kept"
        ExitFile(folder).write(
            Verdict(STOPPED, f"taken out of the queue by {request.reason}; {kept}", EXIT_INTERRUPTED), ()
        )
    finally:
        os.close(lock)
