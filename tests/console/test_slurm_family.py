"""What srun says of the ranks' ends, beside what the ranks print themselves."""

from __future__ import annotations

import os
import signal
from pathlib import Path

from vlmft_console.runs.processes import Identity
from vlmft_console.runs.slurm_family import SlurmFamily

KILLED = """\
0: step 4
1: srun: error: n9: task 9: Killed
srun: error: n2: task 1: Killed
srun: launch/slurm: _step_signal: Terminating StepId=6.0
0: slurmstepd-n1: error: *** STEP 6.0 ON n1 CANCELLED AT 2026-11-30T05:49:40 ***
srun: error: n1: tasks 0,2-3: Terminated
"""


def told(log: Path, text: str) -> SlurmFamily:
    log.write_text(text)
    family = SlurmFamily(Identity(2**30, 1, "another boot"), "6", log)
    family.observe(signalled=False)
    return family


def test_the_first_rank_that_was_killed_is_told_from_those_killed_for_it(tmp_path: Path) -> None:
    ends = told(tmp_path / "log", KILLED).ends
    assert {rank: (end.order, end.host, end.status, end.signalled) for rank, end in ends.items()} == {
        1: (0, "n2", signal.SIGKILL, False),
        0: (1, "n1", signal.SIGTERM, True),
        2: (2, "n1", signal.SIGTERM, True),
        3: (3, "n1", signal.SIGTERM, True),
    }


def test_an_exit_status_and_a_full_memory_are_understood(tmp_path: Path) -> None:
    text = "srun: error: n1: task 0: Exited with exit code 2\nsrun: error: n2: task 1: Out Of Memory\n"
    text += "srun: error: n2: task 2: Segmentation fault (core dumped)\nsrun: error: n2: task 3: Vanished\n"
    text += "srun: error: n3: task x: Killed\nsrun: error: n3: task 4: Ki"
    ends = told(tmp_path / "log", text).ends
    assert os.waitstatus_to_exitcode(ends[0].status or 0) == 2
    assert (ends[1].status, ends[2].status, ends[3].status) == (signal.SIGKILL, signal.SIGSEGV, None)
    assert 4 not in ends


def test_a_log_that_is_gone_or_no_file_says_nothing(tmp_path: Path) -> None:
    family = told(tmp_path / "log", "")
    (tmp_path / "log").unlink()
    family.observe(signalled=False)
    (tmp_path / "log").mkdir()
    family.observe(signalled=False)
    assert not family.ends
