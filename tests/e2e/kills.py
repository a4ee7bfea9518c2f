"""Kills: who of a run is signalled when, and what may not be said of it afterwards."""

from __future__ import annotations

import contextlib
import json
import os
import random
import signal
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

from vlmft_console.errors import MachineError, RunFolderError
from vlmft_console.runs.folder import RunFolder
from vlmft_console.runs.processes import of_run, rank_info
from vlmft_console.runs.registry import read_run
from vlmft_console.runs.resuming import resume_run
from vlmft_console.runs.status import UNSUPERVISED, RunStatus
from vlmft_core.run_folder.checkpoints import complete_ones, intact
from vlmft_core.run_folder.events import FINISHED
from vlmft_core.run_folder.tail import RunTail

VICTIMS = ("supervisor", "runner", "launcher", "rank")
PAUSE = signal.SIGSTOP


@dataclass
class Round:
    """What was done to one run, and what is wrong with what was said of it."""

    folder: RunFolder
    done: list[str] = field(default_factory=list)
    faults: list[str] = field(default_factory=list)
    rank_killed: bool = False
    """Whether a rank was killed before the log said how the run ended."""
    struck: float | None = None
    """When one of it was killed, monotonic time."""
    supervised: bool = True
    """Whether its supervisor was left alone."""
    seconds: float = 0.0
    """From then until it was no longer said to be live, under one supervisor."""
    status: RunStatus = field(default_factory=lambda: RunStatus("never looked at"))

    def __str__(self) -> str:
        said = f"{self.status.state} ({self.status.reason})"
        return f"{self.folder.name}: {', '.join(self.done) or 'nothing'} -> {said}: {'; '.join(self.faults) or 'right'}"


def said_at_the_end(folder: RunFolder) -> str | None:
    """The status of the log's `run_end`; None where there is none."""
    ends = [record["status"] for record in RunTail(folder.logs).read() if record["event"] == "run_end"]
    return ends[-1] if ends else None


def processes_of(folder: RunFolder) -> dict[str, list[int]]:
    """The living processes of a run by what they are, as `/proc` tells it: no word of the product is taken for it."""
    found: dict[str, list[int]] = {role: [] for role in VICTIMS}
    for entry in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            words = (entry / "cmdline").read_bytes().split(b"\0")
            if not any(os.fsencode(folder.path) in word for word in words):
                continue
            pid = int(entry.name)
            if b"vlmft_console.runs.supervisor" in words:
                found["supervisor"].append(pid)
            elif rank_info(pid).rank is not None:
                found["rank"].append(pid)
            elif b"launcher" in words or b"deepspeed.launcher.launch" in words:
                found["launcher"].append(pid)
            elif b"runner" in words or any(word.endswith(b"/deepspeed") for word in words):
                found["runner"].append(pid)
    return found


def strike(this: Round, role: str, number: signal.Signals, chance: random.Random, seconds: float = 0.0) -> bool:
    """Signal one process of a role, waiting a while for there to be one; one that is paused goes on after a second."""
    until = time.monotonic() + seconds
    while not (pids := processes_of(this.folder)[role]):
        if time.monotonic() >= until:
            this.done.append(f"no {role}")
            return False
        time.sleep(0.01)
    pid = chance.choice(sorted(pids))
    try:
        os.kill(pid, PAUSE)
        if not _paused(pid):
            raise ProcessLookupError
        silent = said_at_the_end(this.folder) is None  # not a moment before, for meanwhile it may end by itself
        if number is PAUSE:
            time.sleep(1.0)
        else:
            os.kill(pid, number)
    except OSError:
        this.done.append(f"no {role}")
        return False
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGCONT)
    this.done.append(f"{number.name} to {role}")
    if number is signal.SIGKILL:
        this.struck = this.struck or time.monotonic()
    this.supervised &= role != "supervisor"
    this.rank_killed |= role == "rank" and number is signal.SIGKILL and silent
    return True


def _paused(pid: int) -> bool:
    """Whether a process that was sent a pause takes it, and is not one that has ended."""
    while (state := Path(f"/proc/{pid}/stat").read_bytes().rpartition(b") ")[2][:1]) not in b"TZX":
        time.sleep(0.001)
    return state == b"T"


def settle(this: Round, *, adopt: bool, seconds: float) -> None:
    """Wait until the run is said to have ended, giving it a supervisor again where it lost its own, if asked to; then
    look at what is said."""
    until = time.monotonic() + seconds
    folder = this.folder
    while (status := read_run(folder)[1]).live:
        if time.monotonic() > until:
            this.status = status
            this.faults.append(f"not over after {seconds:.0f} s: {processes_of(folder)}")
            return
        if status.state == UNSUPERVISED and adopt:
            adopt = False
            with contextlib.suppress(RunFolderError, MachineError):  # it ended, or its launcher was never written down
                resume_run(folder)
                this.done.append("adopted")
        time.sleep(0.05)
    this.seconds = time.monotonic() - this.struck if this.struck and this.supervised else 0.0
    left = [seen.identity.pid for seen in of_run(folder.run_id)]
    this.status = status
    said = said_at_the_end(folder)
    good = status.exit_code == 0
    if left:
        this.faults.append(f"orphans: {left}")
    if good and (said != FINISHED or this.rank_killed):
        this.faults.append(f"false success: the log says {said}")
    if status.state in ("crashed", "lost") and said is not None:
        this.faults.append(f"called {status.state} though its log says {said}")
    for checkpoint in complete_ones(folder):
        if not intact(folder.checkpoint(checkpoint.step), checkpoint):
            this.faults.append(f"checkpoint {checkpoint.step} is called complete and is broken")
    if good and folder.exit_file.exists() and json.loads(folder.exit_file.read_text())["survivors"]:
        this.faults.append("survivors of a success")


def told(rounds: list[Round]) -> str:
    """What was done and what was then said of the run, counted."""
    counts = Counter((" + ".join(sorted(one.done)) or "nothing", one.status.state) for one in rounds)
    lines = [f"{count:4} {done} -> {state}" for (done, state), count in sorted(counts.items())]
    slowest = max(rounds, key=lambda one: one.seconds)
    lines.append(f"at most {slowest.seconds:.1f} s from a kill to its being told: {', '.join(slowest.done)}")
    faulty = [str(one) for one in rounds if one.faults]
    return "\n".join(["", *lines, *faulty, f"{len(rounds)} rounds, {len(faulty)} with a fault"])
