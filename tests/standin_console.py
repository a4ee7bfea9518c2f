"""Start the run in FOLDER and follow it, as `vlmft run` does after it has made the folder."""

from __future__ import annotations

import sys
from pathlib import Path

from vlmft_console.commands.show import show
from vlmft_console.runs.folder import RunFolder
from vlmft_console.runs.supervisor_start import start_supervisor

if __name__ == "__main__":
    folder = RunFolder(Path(sys.argv[1]))
    start_supervisor(folder)
    show(folder, [], False, steer=True, fresh=True)
