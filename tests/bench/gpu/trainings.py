"""Trainings end to end, as a person starts them: the demo preset on the GPU under ZeRO-2 and 3, stopped and resumed."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from pathlib import Path
from tempfile import mkdtemp
from typing import Any

from vlmft_core.run_folder.checkpoints import newest_intact
from vlmft_core.run_folder.layout import RunLayout

SHORT = {
    "data.max_train": 512,
    "data.max_eval": 64,
    "training.epochs": 10,
    "evaluation.eval_steps": 16,
    "evaluation.answers": 32,
    "evaluation.answers_at_evals": 0,
    "model.precision": "auto",
    "model.attention": "auto",
    "hardware.device": "cuda",
    "hardware.gpus": 1,
}
"""160 steps of the demo on one GPU."""

KINDS: dict[str, dict[str, Any]] = {
    "ZeRO-2, stopped and resumed": {"hardware.zero_stage": 2},
    "ZeRO-3": {"hardware.zero_stage": 3},
}
PATIENCE = 100.0
"""Seconds that a command gets."""


def train(kind: str) -> dict[str, Any]:
    """A whole training.

    Returns:
        `steps`, `first_loss`, `last_loss`, `adapter`: whether there is one, `seconds`.

    Raises:
        RuntimeError: it ended otherwise than it should have; the end of what it said.
    """
    folder, name = Path(mkdtemp()), kind.split(",")[0].lower()
    settings = [f"--set={key}={value}" for key, value in (SHORT | KINDS[kind]).items()]
    start = ["run", "demo", "--run-name", name, "--output-root", str(folder), *settings]
    began, run = time.monotonic(), RunLayout(folder / name)
    try:
        if "stopped" in kind:
            _vlmft(*start, "--detach")
            while not _losses(run):
                if run.exit_file.exists():
                    raise RuntimeError(f"it ended before its first step: {run.exit_file.read_text()[:200]}")
                if time.monotonic() - began > PATIENCE:
                    raise RuntimeError(f"no step within {PATIENCE:.0f} s")
                time.sleep(0.2)
            _vlmft("stop", str(run.path))
            if newest_intact(run) is None:
                raise RuntimeError("the stop left no checkpoint")
            _vlmft("resume", str(run.path), "--json")
        else:
            _vlmft(*start, "--json")
    except (subprocess.TimeoutExpired, RuntimeError):
        subprocess.run(_line("stop", str(run.path), "--now"), capture_output=True, check=False, timeout=60)
        raise
    losses = _losses(run)
    return {
        "steps": len(losses),
        "first_loss": losses[0],
        "last_loss": losses[-1],
        "adapter": run.adapter.is_dir(),
        "seconds": time.monotonic() - began,
    }


def _losses(run: RunLayout) -> list[float]:
    """Training loss at each step, over all segments."""
    found: dict[int, float] = {}
    for log in sorted(run.logs.glob("events-*.jsonl")):
        for line in log.read_text().splitlines(keepends=True):
            if line.endswith("\n") and (record := json.loads(line))["event"] == "step":
                found[record["step"]] = record["loss"]
    return [found[step] for step in sorted(found)]


def _line(*arguments: str) -> list[str]:
    return [sys.executable, "-c", "from vlmft_console.cli import main; main()", *arguments]


def _vlmft(*arguments: str) -> None:
    done = subprocess.run(
        _line(*arguments), capture_output=True, text=True, check=False, timeout=PATIENCE, env=os.environ
    )
    if done.returncode:
        said = " ".join((done.stdout + done.stderr).split())
        raise RuntimeError(f"vlmft {arguments[0]} ended with {done.returncode}: …{said[-300:]}")
