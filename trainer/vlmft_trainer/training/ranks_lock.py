"""Lock of the ranks: shared by each while it lives. Loads no torch."""

from __future__ import annotations

import fcntl
import os

from vlmft_core.durable import open_own
from vlmft_core.run_folder.layout import RunLayout


def hold_lock(run: RunLayout) -> int:
    """Share the lock that tells others, for as long as this process lives, that the run has living ranks.

    Returns:
        Its descriptor, to be kept open.
    """
    descriptor = open_own(run.ranks_lock, os.O_RDWR)
    fcntl.flock(descriptor, fcntl.LOCK_SH)
    return descriptor
