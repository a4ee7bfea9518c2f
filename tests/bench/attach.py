"""How long `vlmft attach` and `vlmft status` take over a run with 100,000 logged steps."""

from __future__ import annotations

import os
import pty
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from tests.supervised import LONG, Supervised
from vlmft_core.run_folder import events
from vlmft_core.run_folder.events import EventWriter
from vlmft_core.run_folder.stop import StopRequest

STEPS = 100_000
BUDGET_ATTACH = 2.0
VLMFT = str(Path(sys.executable).with_name("vlmft"))


def main() -> None:
    with tempfile.TemporaryDirectory() as root:
        run = Supervised(Path(root), 1, *LONG)
        run.wait_for_ranks()
        run.who("rank 0").send(signal.SIGSTOP)  # a live run whose log is ours to fill
        log = EventWriter(run.folder.events_file())
        for step in range(1, STEPS + 1):
            log.write(events.STEP, step=step, epoch=step / STEPS, loss=1 / step, lr=1e-4, grad_norm=0.5, step_s=0.5)
        log.close()
        began = time.perf_counter()
        subprocess.run([VLMFT, "status", str(run.folder.path)], check=True, stdout=subprocess.DEVNULL)
        status_s = time.perf_counter() - began
        attach_s = seconds_to_first_screen(run.folder.path)
        run.who("rank 0").send(signal.SIGCONT)
        StopRequest("measured", now=True).write(run.folder)
        run.wait_for_end()
    print(f"{'100,000 logged steps':<28}{'seconds':>10}{'budget':>8}")
    print(f"{'vlmft status':<28}{status_s:>10.2f}{'':>8}")
    print(f"{'vlmft attach, first screen':<28}{attach_s:>10.2f}{BUDGET_ATTACH:>8}")


def seconds_to_first_screen(folder: Path) -> float:
    """From the start of `vlmft attach` until the last step stands on its terminal."""
    began = time.perf_counter()
    pid, terminal = pty.fork()
    if pid == 0:
        os.execv(VLMFT, [VLMFT, "attach", str(folder)])
    screen = b""
    while b"100000/" not in screen:
        screen += os.read(terminal, 65536)
    seconds = time.perf_counter() - began
    os.kill(pid, signal.SIGINT)
    os.waitpid(pid, 0)
    os.close(terminal)
    return seconds


if __name__ == "__main__":
    main()
