"""Full disks, made for real on a small file system of their own, and kills in the middle of a save."""

from __future__ import annotations

import contextlib
import os
import random
import signal
import time
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

import pytest

from tests.command_line import vlmft
from tests.e2e.small_run import curve, joins, paused, resume, start, wait_for_end, wait_for_step
from tests.file_systems import small_file_system
from vlmft_console.runs.folder import RunFolder
from vlmft_core.run_folder.checkpoints import complete_ones, newest_intact
from vlmft_core.run_folder.events import Record
from vlmft_core.run_folder.tail import RunTail

pytestmark = [pytest.mark.train, pytest.mark.apart]

ALONE = ("--detach", "--set=hardware.gpus=1", "--set=training.effective_batch=8", "--set=training.micro_batch=8")
"""In the background, on one process, for the disk is the same for all; short steps."""


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 24 MiB."""
    with small_file_system(tmp_path / "disk", "24m") as disk:
        yield disk


def fill(disk: Path, leave: int) -> Path:
    """A file that takes all space but `leave` bytes; it grows when it is there already."""
    ballast = disk / "ballast"
    free = os.statvfs(disk).f_bavail * os.statvfs(disk).f_frsize
    with contextlib.suppress(OSError), ballast.open("ab", buffering=0) as file:  # the run may take some meanwhile
        file.write(b"\0" * max(0, free - leave))
    return ballast


def wait_for_note(folder: RunFolder, said: str) -> None:
    deadline = time.monotonic() + 300
    while not any(said in record.get("message", "") for record in RunTail(folder.logs).read()):
        assert time.monotonic() < deadline
        assert not folder.exit_file.exists(), folder.exit_file.read_text()
        time.sleep(0.05)


def test_a_disk_that_is_full_for_a_while_does_not_end_the_training(small_disk: Path) -> None:
    """First no room for a checkpoint, then none for the log, then room again."""
    folder = start(small_disk, "full", "--set=training.epochs=100", *ALONE)
    wait_for_step(folder, 7)  # past the first checkpoint
    with paused(folder):
        newest = max(int(path.name.removeprefix("checkpoint-")) for path in folder.path.glob("checkpoint-*"))
        ballast = fill(small_disk, 2_000_000)
    wait_for_note(folder, "no checkpoint is saved")
    records = list(RunTail(folder.logs).read())
    steps = [number for number, record in enumerate(records) if record["event"] == "step"]
    longest = max(after["mono"] - before["mono"] for before, after in pairwise(records[steps[0] :]))  # an eval, say
    fill(small_disk, 0)
    size = folder.events_file().stat().st_size
    until = time.monotonic() + longest + 30 * records[steps[-1]]["step_s"]  # ten records may find room in a block
    while time.monotonic() < until:
        assert folder.events_file().stat().st_size <= size + 4096
        time.sleep(0.05)
    ballast.unlink()
    wait_for_note(folder, "event records were lost")
    vlmft("stop", str(folder.path), code=0)
    assert wait_for_end(folder)["status"] == "stopped"
    kept = [one.step for one in complete_ones(folder)]
    assert newest in kept
    assert newest + 6 not in kept
    assert newest_intact(folder) is not None
    assert (folder.adapter / "adapter_model.safetensors").is_file()


def test_a_run_whose_disk_stays_full_fails_names_the_disk_and_keeps_its_checkpoint(small_disk: Path) -> None:
    folder = start(small_disk, "stuck", *ALONE)
    wait_for_step(folder, 7)
    with paused(folder):
        newest = complete_ones(folder)[-1]
        fill(small_disk, 0)
    end = wait_for_end(folder)
    assert end["status"] in ("crashed", "failed")
    assert "disk" in end["reason"]
    assert newest_intact(folder) == newest


@pytest.mark.soak
def test_kills_in_the_middle_of_saves_never_cost_more_than_that_save(tmp_path: Path, rounds: int) -> None:
    """One run, killed in the middle of a save and resumed, again and again; saving after every step."""
    chance = random.Random(4)
    kills = rounds // 2
    steps = ["--set=evaluation.eval_steps=1", "--set=data.max_eval=2", f"--set=training.epochs={kills}", "--gpus=1"]
    whole = curve(start(tmp_path, "whole", *steps))
    folder = start(tmp_path, "killed", *steps, "--detach")
    while not complete_ones(folder):  # without any there would be nothing to resume from
        assert not folder.exit_file.exists()
        time.sleep(0.001)
    for _ in range(kills):
        killed_at = _kill_in_a_save(folder, chance.uniform(0, 0.08))
        if killed_at is None:
            break
        before = newest_intact(folder)
        assert before is not None
        assert before.step >= killed_at - 1
        segments = len(_starts(folder))
        vlmft("resume", "--detach", str(folder.path), code=0)
        deadline = time.monotonic() + 180
        while len(starts := _starts(folder)) == segments:
            assert time.monotonic() < deadline
            time.sleep(0.05)
        assert starts[-1]["resumed_from"] == before.step
    if not folder.exit_file.exists():
        assert wait_for_end(folder, 600)["status"] == "finished"
    elif wait_for_end(folder)["status"] != "finished":
        resume(folder)
    joins(curve(folder), whole)


def _starts(folder: RunFolder) -> list[Record]:
    return [record for record in RunTail(folder.logs).read() if record["event"] == "run_start"]


def _kill_in_a_save(folder: RunFolder, after: float) -> int | None:
    """KILL rank 0 a moment after its next checkpoint's folder appeared. None when the run had ended before."""
    known = {path.name for path in folder.path.glob("checkpoint-*")}
    deadline = time.monotonic() + 300
    while not (new := {path.name for path in folder.path.glob("checkpoint-*")} - known):
        assert time.monotonic() < deadline
        if folder.exit_file.exists():
            return None
        time.sleep(0.001)
    time.sleep(after)
    if not folder.processes()["rank 0"].send(signal.SIGKILL):
        return None
    wait_for_end(folder)
    return max(int(name.removeprefix("checkpoint-")) for name in new)
