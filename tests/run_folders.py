"""Run folders for tests of screens: made in a moment, the same every time."""

from __future__ import annotations

import os
from pathlib import Path

from vlmft_console.runs.folder import Command, RunFolder
from vlmft_core.durable import as_json, write_whole
from vlmft_core.run_folder import events
from vlmft_core.run_folder.events import EventWriter

NOW = 1_767_312_000.0
"""The pinned time of screens whose look is kept."""


def ended_run(
    root: Path,
    name: str,
    *,
    status: str = "finished",
    reason: str = "",
    steps: int = 20,
    total: int = 20,
    preset: str = "good",
    hours: float = 1.0,
    rising: bool = False,
) -> RunFolder:
    """A run that ended; `name` may be one that no run of ours could have.

    Args:
        root: where its folder is made.
        name: the folder's name.
        status: what `exit.json` says.
        reason: the same.
        steps: steps done.
        total: steps planned.
        preset: the preset's name.
        hours: its age at `NOW`.
        rising: whether the eval loss rises away from its best.
    """
    folder = RunFolder(root / name)
    folder.logs.mkdir(parents=True)
    folder.write_run(preset_name=preset, preset_text="{}\n", command=Command(("true",), {}))
    log = EventWriter(folder.events_file())
    log.write(events.RUN_START, run_id="0" * 32, segment=1)
    log.write(events.PLAN, total_steps=total, steps_per_epoch=total, warmup_steps=0, peak_lr=1e-4, scheduler="constant")
    for step in range(1, steps + 1):
        log.write(events.STEP, step=step, epoch=step / total, loss=2 / step, lr=1e-4, grad_norm=0.5)
        if step % 2 == 0:
            loss = 1 + step / 10 if rising else 1 + 1 / step
            log.write(events.EVAL, step=step, epoch=step / total, eval_loss=loss, samples=10)
    log.close()
    write_whole(folder.exit_file, as_json({"status": status, "reason": reason, "exit_code": 0}))
    os.utime(folder.path / "run.json", (NOW - hours * 3600,) * 2)
    return folder
