"""Following a run in a real terminal, and leaving it in every way there is."""

from __future__ import annotations

import os
import pty
import select
import signal
import time
from pathlib import Path

import pytest

from tests.command_line import VLMFT
from tests.supervised import LONG, Supervised
from vlmft_core.run_folder.stop import StopRequest


def attached(folder: Path, number: signal.Signals) -> tuple[int, bytes]:
    """Exit status and screen of a `vlmft attach` that got the signal once it had shown a step."""
    pid, terminal = pty.fork()
    if pid == 0:
        os.execv(VLMFT, [VLMFT, "attach", str(folder)])
    screen, sent = b"", False
    deadline = time.monotonic() + 120
    while time.monotonic() < deadline:
        if select.select([terminal], [], [], 0.1)[0]:
            try:
                screen += os.read(terminal, 65536)
            except OSError:
                break
        if not sent and b"training" in screen:
            os.kill(pid, number)
            sent = True
    _, status = os.waitpid(pid, 0)
    os.close(terminal)
    return os.waitstatus_to_exitcode(status), screen


@pytest.mark.parametrize(("number", "exit_code"), [(signal.SIGINT, 0), (signal.SIGTERM, 143), (signal.SIGHUP, 129)])
def test_leaving_gives_the_terminal_back_and_leaves_the_run_alone(
    tmp_path: Path, number: signal.Signals, exit_code: int
) -> None:
    run = Supervised(tmp_path, 1, *LONG)
    run.wait_for_ranks()
    status, screen = attached(run.folder.path, number)
    assert status == exit_code
    assert screen.rfind(b"\x1b[?25h") > screen.rfind(b"\x1b[?25l")  # the cursor is shown again
    assert run.status().state == "running"
    StopRequest("the test is over", now=True).write(run.folder)
    run.wait_for_end()
