"""How long the first chart takes through `ssh://`, beside the console called on that machine, in alternation.

python -m tests.bench.ssh
"""

from __future__ import annotations

import os
import statistics
import sys
import tempfile
import time
from pathlib import Path

from tests.in_terminal import terminal
from tests.run_folders import ended_run
from tests.sshd import Machine, machine

STEPS = 200
"""The shorter the log, the more the connection weighs."""
ROUNDS = 9
BUDGET = 1.5


def main() -> None:
    with tempfile.TemporaryDirectory() as name, machine(Path(name) / "there") as there:
        os.environ["PATH"] = there.client["PATH"]
        began = os.getloadavg()[0]
        print(f"{'first chart of a run of':<32}{'there':>10}{'ssh://':>10}{'ratio':>8}{'budget':>8}")
        folder = ended_run(there.home / "outputs", "run", steps=STEPS, total=STEPS).path
        pairs = [(_seconds(there, str(folder)), _seconds(there, f"ssh://there{folder}")) for _ in range(ROUNDS + 1)]
        del pairs[0]  # these compiled the modules
        on_it, through_ssh = (statistics.median(each) for each in zip(*pairs, strict=True))
        ratio = statistics.median(far / near for near, far in pairs)
        print(f"{STEPS:>7,} steps{'':<19}{on_it:>8.2f} s{through_ssh:>8.2f} s{ratio:>8.2f}{BUDGET:>8}")
        print(f"load average {began:.1f} at the start, {os.getloadavg()[0]:.1f} at the end")


def _seconds(there: Machine, target: str) -> float:
    """From the start of the console in a terminal here until the curve's legend stands on it."""
    began = time.perf_counter()
    with terminal(there.home, target, size=(120, 40)) as console:
        console.wait_until_shown("EMA(0.9)")
        return time.perf_counter() - began


if __name__ == "__main__":
    sys.exit(main())
