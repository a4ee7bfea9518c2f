"""`follow` with a small stand-in for the launcher: a real process that writes a real event log."""

from __future__ import annotations

import os
import signal
import sys
from pathlib import Path

import pytest

from vlmft_console.follow import follow
from vlmft_console.history.state import RunState
from vlmft_console.runs.child import Child
from vlmft_console.runs.folder import RunFolder
from vlmft_console.runs.launch import Command
from vlmft_console.runs.verdict import Verdict
from vlmft_trainer.events import Record

STAND_IN = """
import os, signal, subprocess, sys, time
from pathlib import Path
from vlmft_trainer.events import EventWriter
folder, how = Path(sys.argv[1]), sys.argv[2]
log = EventWriter(folder / "logs" / "events-0001.jsonl")
log.write("run_start", run_id="x", segment=1)
deadline = time.monotonic() + 60
if how == "orphan":
    subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"])
if how == "deaf":
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
if how in ("waits", "deaf"):
    log.write("note", message="waiting")
    while time.monotonic() < deadline and (how == "deaf" or not (folder / "stop.json").exists()):
        time.sleep(0.02)
if how == "killed":
    os.kill(os.getpid(), signal.SIGKILL)
log.write("run_end", status="stopped" if how == "waits" else "finished", reason="")
"""


class Recorded:
    """A display that keeps what it was told, and presses Ctrl-C at each line given to it in advance."""

    def __init__(self, interrupt_at: tuple[str, ...] = ()) -> None:
        self.said: list[str] = []
        self.interrupt_at = interrupt_at

    def update(self, state: RunState, new: list[Record]) -> None:
        for record in new:
            self.say(str(record.get("message", record["event"])))

    def say(self, text: str) -> None:
        self.said.append(text)
        if any(text.startswith(start) for start in self.interrupt_at):
            os.kill(os.getpid(), signal.SIGINT)

    def close(self) -> None:
        pass


@pytest.fixture
def folder(tmp_path: Path) -> RunFolder:
    return RunFolder.create(tmp_path, "run")


def followed(folder: RunFolder, how: str, display: Recorded) -> Verdict:
    child = Child(Command((sys.executable, "-c", STAND_IN, str(folder.path), how), {}), folder)
    return follow(child, folder, RunState(), display)


def test_a_run_that_finishes_is_a_success(folder: RunFolder) -> None:
    display = Recorded()
    assert followed(folder, "finishes", display).exit_code == 0
    assert display.said == ["run_start", "run_end"]


def test_a_launcher_killed_without_a_word_is_a_crash(folder: RunFolder) -> None:
    verdict = followed(folder, "killed", Recorded())
    assert verdict.status == "crashed"
    assert "SIGKILL" in verdict.reason


def test_one_interrupt_asks_for_a_checkpoint_and_a_clean_end(folder: RunFolder) -> None:
    verdict = followed(folder, "waits", Recorded(interrupt_at=("waiting",)))
    assert (verdict.status, verdict.exit_code) == ("stopped", 130)
    assert folder.stop_file.exists()


def test_a_second_interrupt_ends_ranks_that_do_not_listen(folder: RunFolder, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("vlmft_console.follow.TERM_GRACE_SECONDS", 0.2)
    verdict = followed(folder, "deaf", Recorded(interrupt_at=("waiting", "stopping")))
    assert verdict.status == "crashed"
    assert "SIGKILL" in verdict.reason


def test_a_process_that_outlives_the_launcher_is_ended_and_spoils_the_success(folder: RunFolder) -> None:
    display = Recorded()
    verdict = followed(folder, "orphan", display)
    assert verdict.status == "failed"
    assert any("ending them" in line for line in display.said)


def test_the_interrupt_handler_is_put_back(folder: RunFolder) -> None:
    before = signal.getsignal(signal.SIGINT)
    followed(folder, "finishes", Recorded())
    assert signal.getsignal(signal.SIGINT) is before
