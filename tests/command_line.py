"""`vlmft` in a process of its own, as a person or a script calls it."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

VLMFT = str(Path(sys.executable).with_name("vlmft"))


def vlmft(
    *arguments: str, code: int | None = None, folder: Path | None = None, seconds: float = 300.0, **environment: str
) -> subprocess.CompletedProcess[str]:
    """Call the command and wait for its end.

    Args:
        arguments: what follows `vlmft` on the command line.
        code: the exit status that there must be; None for any.
        folder: where it is called.
        seconds: how long it may take.
        environment: what is added to the environment.
    """
    done = subprocess.run(
        [VLMFT, *arguments],
        cwd=folder,
        env=os.environ | environment,
        capture_output=True,
        text=True,
        timeout=seconds,
        check=False,
    )
    assert code is None or done.returncode == code, done.stdout[-2000:] + done.stderr[-2000:]
    assert "Traceback" not in done.stdout + done.stderr
    return done
