"""GPUs that are not there: an `nvidia-smi` that lists them."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

import pytest


def fake_gpus(folder: Path, patch: pytest.MonkeyPatch, gpus: Sequence[str]) -> None:
    """Let this process, and those it starts, find GPUs.

    Args:
        folder: where the program goes.
        gpus: "name, MiB, compute capability" of each.
    """
    folder.mkdir(parents=True, exist_ok=True)
    listed = "\n".join(f"GPU {index}: {gpu.split(',')[0]} (UUID: GPU-{index})" for index, gpu in enumerate(gpus))
    queried = "\n".join(f"{index}, GPU-{index}, {gpu}" for index, gpu in enumerate(gpus))
    program = folder / "nvidia-smi"
    program.write_text(f"#!/bin/sh\n[ \"$1\" = -L ] && echo '{listed}' || echo '{queried}'\n")
    program.chmod(0o755)
    patch.setenv("PATH", f"{folder}:{os.environ['PATH']}")
    patch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
