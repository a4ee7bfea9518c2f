"""A run in the queue of a Slurm cluster, for tests: what its folder and Slurm tell of it, and what to wait for."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable
from contextlib import suppress
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from tests.e2e.slurm import Cluster
from vlmft_console.places.place import Slurm
from vlmft_console.runs.folder import RunFolder
from vlmft_console.runs.status import LIVE
from vlmft_core.run_folder.checkpoints import complete_ones
from vlmft_core.run_folder.tail import RunTail

STANDIN = Path(__file__).parent / "standin_trainer"


def with_standin() -> str:
    """PYTHONPATH with the stand-in before the real trainer."""
    return os.pathsep.join([str(STANDIN), os.environ.get("PYTHONPATH", "")])


class Run:
    """One run in the queue, told of by its folder and by Slurm.

    Args:
        slurm: where it was submitted.
        folder: the run's.
    """

    def __init__(self, slurm: Cluster, folder: RunFolder) -> None:
        self.slurm, self.folder = slurm, folder

    @property
    def job(self) -> str:
        place = self.folder.place
        assert isinstance(place, Slurm)
        return place.job

    def status(self) -> dict[str, Any]:
        """What `vlmft status` says at the login node."""
        found: dict[str, Any] = json.loads(self.slurm.vlmft("status", str(self.folder.path), "--json"))
        return found

    def events(self, kind: str) -> list[dict[str, Any]]:
        return [record for record in RunTail(self.folder.logs).read() if record["event"] == kind]

    def steps(self) -> list[int]:
        return [step["step"] for step in self.events("step")]

    def wait(self, condition: Callable[[], Any], seconds: float = 180.0) -> None:
        deadline = time.monotonic() + seconds
        while not condition():
            assert time.monotonic() < deadline, f"waited in vain: {self.status()}\n{self.logs()}"
            time.sleep(0.1)

    def wait_for_step(self, step: int) -> None:
        self.wait(lambda: step in self.steps()[-1000:])

    def wait_for_end(self, seconds: float = 180.0) -> dict[str, Any]:
        self.wait(self.folder.exit_file.exists, seconds)
        ended: dict[str, Any] = json.loads(self.folder.exit_file.read_text())
        return ended

    def resume(self, steps: int) -> str:
        """Resume it, to be done after so many steps in all; returns what is said."""
        (self.folder.path.parent / "standin").write_text(f"{steps} 0")
        return self.slurm.vlmft("resume", str(self.folder.path), "--detach", PYTHONPATH=with_standin())

    def finishes(self, seconds: float = 240) -> None:
        """It comes to a good end. The end of a start whose job goes back into the queue is told as none."""
        self.wait(lambda: self.status()["state"] not in LIVE, seconds)
        ended = self.wait_for_end()
        assert ended["status"] == "finished", f"{ended}\n{self.logs()}"

    def goes_on_by_itself(self) -> None:
        """Back in the queue it is started once more, from where it saved, and then ends ten steps on."""
        self.wait_for_state("PENDING")
        saved = complete_ones(self.folder)[-1].step
        assert saved == self.steps()[-1]
        (self.folder.path.parent / "standin").write_text(f"{saved + 10} 0")
        self.start_now()
        self.finishes()
        assert [start["resumed_from"] for start in self.events("run_start")] == [None, saved]
        assert self.steps() == list(range(1, saved + 11))

    def wait_for_state(self, *states: str, seconds: float = 180.0) -> None:
        """Until Slurm says one of these of the job."""
        self.wait(lambda: self.slurm.job(self.job).get("JobState") in states, seconds)

    def start_now(self) -> None:
        """A job that went back into the queue waits there for two minutes, unless an operator has it start at once.

        Not within a second: the nodes would take it for the start before, which they were told to forget.
        """
        self.wait_for_state("PENDING")
        back = datetime.fromisoformat(self.slurm.job(self.job)["SubmitTime"])
        self.wait(lambda: datetime.now() - back > timedelta(seconds=3))

        def begun() -> bool:
            self.slurm.run("scontrol", "update", f"jobid={self.job}", "starttime=now", code=None)
            return self.slurm.job(self.job)["JobState"] != "PENDING"

        self.wait(begun)

    def rank(self, number: int) -> int:
        """Process id, on this machine, of a rank of it."""
        told, mine = f"SLURM_PROCID={number}".encode(), b"--output_dir=" + os.fsencode(self.folder.path)
        found: list[int] = []

        def look() -> bool:
            for entry in Path("/proc").glob("[0-9]*"):
                try:
                    words = (entry / "cmdline").read_bytes().split(b"\0")
                    theirs = (entry / "environ").read_bytes().split(b"\0")
                    if mine in words and told in theirs and not words[0].endswith(b"srun"):
                        found.append(int(entry.name))
                except OSError:
                    continue
            return bool(found)

        self.wait(look)
        return found[0]

    def supervisor(self) -> int:
        """Process id, on this machine, of the batch step."""
        told = b"vlmft_console.runs.batch_step\0" + os.fsencode(self.folder.path)
        for file in Path("/proc").glob("[0-9]*/cmdline"):
            with suppress(OSError):
                if told in file.read_bytes():
                    return int(file.parent.name)
        raise AssertionError("no supervisor")

    def logs(self) -> str:
        """What was printed, for a test that failed."""
        return "\n".join(path.read_text() for path in sorted(self.folder.logs.glob("*.log")))
