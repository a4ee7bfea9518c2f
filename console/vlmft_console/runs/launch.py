"""From a preset to the command that trains it. Pure: nothing is started or written here."""

from __future__ import annotations

import os
import sys
from pathlib import Path

from vlmft_console.runs.command import Command
from vlmft_console.runs.folder import RunFolder
from vlmft_trainer.preset import Preset


def training_command(preset: Preset, folder: RunFolder, port: int, *, resume: bool = False) -> Command:
    """DeepSpeed's launcher with one rank for each GPU, training what `folder/preset.yaml` says.

    Args:
        preset: the resolved preset; only its `hardware` is looked at.
        folder: the run folder; its path is passed absolute, as the ranks may start elsewhere.
        port: TCP port for the ranks to find each other.
        resume: go on from the newest complete checkpoint in `folder`.
    """
    path = folder.path.absolute()
    argv = (
        str(Path(sys.executable).with_name("deepspeed")),
        f"--num_gpus={preset.hardware.gpus}",
        f"--master_port={port}",
        "--module",
        "vlmft_trainer.train_vlm_sft",
        f"--sft_config={path / 'preset.yaml'}",
        f"--output_dir={path}",
        *(["--resume"] if resume else []),
    )
    env: dict[str, str] = {}
    if preset.hardware.device == "cpu":
        # Several ranks share the cores: more threads than cores makes each of them wait for the others.
        threads = max(1, len(os.sched_getaffinity(0)) // preset.hardware.gpus)
        env = {"DS_ACCELERATOR": "cpu", "OMP_NUM_THREADS": str(threads)}
    return Command(argv, env)
