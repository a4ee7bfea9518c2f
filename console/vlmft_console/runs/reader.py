"""Reader of a run's log for those who look at it later: it leaves the summary of a long one and, of a run that has
ended, the figures that lists show.

    python -m vlmft_console.runs.reader FOLDER
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

from vlmft_console.history.log_figures import LogFigures
from vlmft_console.runs.folder import RunFolder
from vlmft_console.runs.known_figures import KnownFigures, log_files
from vlmft_console.runs.registry import read_run
from vlmft_core.errors import VlmftError


def read_for_others(folder: RunFolder) -> None:
    """Read what has come to a run's log since it was read last.

    Raises:
        VlmftError: something of the run cannot be read.
        OSError: the same.
    """
    files = log_files(folder)
    run, status = read_run(folder)
    if not status.live:
        known = KnownFigures()
        known.add(folder, files, LogFigures.of(run))
        known.keep()


if __name__ == "__main__":
    os.nice(19)  # nobody waits for it
    try:
        read_for_others(RunFolder(Path(sys.argv[1])))
    except (VlmftError, OSError) as error:
        sys.exit(f"nothing is left for later readers: {error}")
