"""A supervised run of stand-ins, for tests: start it, wait for conditions, look at how it ended."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from vlmft_console.places.place import Place
from vlmft_console.runs.folder import Command, RunFolder
from vlmft_console.runs.processes import Identity
from vlmft_console.runs.registry import read_run
from vlmft_console.runs.status import RunStatus
from vlmft_console.runs.supervisor_start import start_supervisor

STANDIN = Path(__file__).with_name("standin.py")
LONG = ("--steps=100000",)


def make_run(root: Path, name: str, ranks: int, *options: str, place: Place | None = None) -> RunFolder:
    """A run folder whose command starts stand-ins."""
    folder = RunFolder.create(root, name)
    argv = (sys.executable, str(STANDIN), "runner", str(folder.path), str(ranks), *options)
    folder.write_run(preset_name="test", preset_text="{}\n", command=Command(argv, {}), place=place)
    return folder


class Supervised:
    """One started run."""

    def __init__(self, root: Path, ranks: int, *options: str, name: str = "run", place: Place | None = None) -> None:
        self.folder = make_run(root, name, ranks, *options, place=place)
        self.ranks = ranks
        start_supervisor(self.folder)

    def who(self, role: str) -> Identity:
        return self.folder.processes()[role]

    def inner_launcher(self) -> int:
        """Process id of the launcher that the runner started."""
        runner = self.who("launcher").pid
        return int(Path(f"/proc/{runner}/task/{runner}/children").read_text().split()[0])

    def status(self) -> RunStatus:
        return read_run(self.folder)[1]

    def finish(self) -> None:
        """Make the ranks' present step the last one that is planned."""
        (self.folder.path / "enough").touch()

    def wait(self, condition: Callable[[], Any], seconds: float = 120.0) -> None:
        deadline = time.monotonic() + seconds
        while not condition():
            assert time.monotonic() < deadline, f"waited in vain; status {self.status()}"
            time.sleep(0.02)

    def wait_for_ranks(self) -> None:
        """Until every rank is known and in the folder, and steps are being made.

        Real ranks meet before the first step; of these one may still look for the folder, by its name, when another
        has made some.
        """
        self.wait(lambda: len(self.folder.processes()) == self.ranks + 2 and self.status().state == "running")
        self.wait(lambda: all(map(_has_begun, self.folder.processes().items())))

    def wait_for_end(self, seconds: float = 120.0) -> dict[str, Any]:
        """What `exit.json` says; by then nobody of the run may be alive."""
        self.wait(self.folder.exit_file.exists, seconds)
        record: dict[str, Any] = json.loads(self.folder.exit_file.read_text())
        assert not [role for role, who in self.folder.processes().items() if who.alive and role != "supervisor"]
        return record


def _has_begun(process: tuple[str, Identity]) -> bool:
    """Whether a rank holds the lock of its folder, or is gone; true of all that is no rank."""
    role, who = process
    try:
        links = Path(f"/proc/{who.pid}/fd").iterdir()
        return not role.startswith("rank") or any(link.readlink().name == "ranks.lock" for link in links)
    except OSError:  # it is gone, or has just closed something
        return not who.alive
