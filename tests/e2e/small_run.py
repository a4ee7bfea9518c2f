"""Short runs of the demo, started as a person starts them, and what to wait for."""

from __future__ import annotations

import json
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.command_line import vlmft
from vlmft_console.runs.folder import RunFolder
from vlmft_console.runs.registry import read_run
from vlmft_core.run_folder.tail import RunTail

SMALL = {
    "data.max_train": "96",
    "data.max_eval": "24",
    "evaluation.answers": "0",
    "evaluation.eval_steps": "6",
    "training.epochs": "6",
    "training.effective_batch": "32",
    "training.micro_batch": "16",
}
"""What makes a run of 18 steps of it, with a checkpoint after every sixth."""


def settings(changes: dict[str, str]) -> list[str]:
    """The options that change a preset."""
    return [f"--set={key}={value}" for key, value in changes.items()]


def start(root: Path, name: str, *options: str, **environment: str) -> RunFolder:
    """Start a run, and wait for its end unless it is detached."""
    arguments = ["run", "demo", *settings(SMALL), f"--output-root={root}", f"--run-name={name}", *options]
    vlmft(*arguments, code=0, **environment)
    return RunFolder(root / name)


def resume(folder: RunFolder) -> None:
    """Resume a run, and wait for its end."""
    done = vlmft("resume", str(folder.path))
    log = folder.training_log
    assert done.returncode == 0, done.stdout + done.stderr + (log.read_text()[-2000:] if log else "")


def wait_for_step(folder: RunFolder, step: int) -> None:
    deadline = time.monotonic() + 600
    while read_run(folder)[0].step < step:
        assert time.monotonic() < deadline
        assert not folder.exit_file.exists(), folder.exit_file.read_text()
        time.sleep(0.05)


def wait_for_end(folder: RunFolder, seconds: float = 600.0) -> dict[str, Any]:
    """What `exit.json` says."""
    deadline = time.monotonic() + seconds
    while not folder.exit_file.exists():
        assert time.monotonic() < deadline
        time.sleep(0.05)
    record: dict[str, Any] = json.loads(folder.exit_file.read_text())
    return record


@contextmanager
def paused(folder: RunFolder) -> Iterator[None]:
    """The ranks stand still for as long as the block lasts, and no step is made however long that is."""
    ranks = [who for role, who in folder.processes().items() if role.startswith("rank")]
    for rank in ranks:
        rank.send(signal.SIGSTOP)
    try:
        yield
    finally:
        for rank in ranks:
            rank.send(signal.SIGCONT)


Curve = dict[int, tuple[float, float]]
"""Learning rate and loss by step."""


def curve(folder: RunFolder) -> Curve:
    """What a run's log tells; a step made again counts as made last."""
    steps = [record for record in RunTail(folder.logs).read() if record["event"] == "step"]
    return {record["step"]: (record["lr"], record["loss"]) for record in steps}


def joins(part: Curve, whole: Curve) -> None:
    """Both runs made the same steps."""
    assert part.keys() == whole.keys()
    for step, (rate, loss) in whole.items():
        assert part[step][0] == pytest.approx(rate, rel=1e-12)
        assert part[step][1] == pytest.approx(loss, abs=1e-4)
