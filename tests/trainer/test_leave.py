"""The end of a rank's process."""

from __future__ import annotations

import subprocess
import sys

PROGRAM = """
import atexit, os
from vlmft_trainer.train_vlm_sft import leave

class AbortsAtShutdown:
    def __del__(self, abort=os.abort):
        abort()

kept = AbortsAtShutdown()
atexit.register(print, "last words")
print("first words")
{end}
"""


def test_a_rank_that_is_done_ends_with_its_status_whatever_aborts_an_interpreter_at_its_shutdown() -> None:
    def ended(end: str) -> tuple[int, list[str]]:
        command = [sys.executable, "-P", "-c", PROGRAM.format(end=end)]
        done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=300)
        return done.returncode, done.stdout.splitlines()

    assert ended("")[0] < 0
    assert ended("leave(0)") == (0, ["first words", "last words"])
