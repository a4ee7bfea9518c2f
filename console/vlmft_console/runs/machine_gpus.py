"""GPUs of this machine: those that a process started now would see, and whether the PyTorch here can use them."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

from vlmft_core.plan.gpus import Gpu, known_gpu

_QUERY = ("--query-gpu=index,uuid,name,memory.total,compute_cap", "--format=csv,noheader,nounits")
_ASK_TORCH = "import torch; print(torch.__version__, *torch.cuda.get_arch_list())"


def count_gpus() -> int:
    """NVIDIA GPUs that a process started now would see: `CUDA_VISIBLE_DEVICES`, else what the driver lists."""
    visible = _visible()
    if visible is not None:
        return len(visible)
    try:
        listed = subprocess.run(["nvidia-smi", "-L"], capture_output=True, text=True, timeout=30, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return len(list(Path("/proc/driver/nvidia/gpus").glob("*")))
    return sum(line.startswith("GPU ") for line in listed.stdout.splitlines())


def visible_gpus() -> list[Gpu]:
    """The same GPUs, as far as the driver tells what they are; of a slice of a GPU (MIG) it does not."""
    try:
        told = subprocess.run(["nvidia-smi", *_QUERY], capture_output=True, text=True, timeout=30, check=False).stdout
    except (OSError, subprocess.TimeoutExpired):
        return []
    there: dict[str, Gpu] = {}
    for line in told.splitlines():
        fields = [field.strip() for field in line.split(",")]
        if len(fields) == 5 and fields[3].isdigit() and re.fullmatch(r"\d+\.\d+", fields[4]):
            index, uuid, name, mib, capability = fields
            major, _, minor = capability.partition(".")
            known = known_gpu(name) or Gpu(name.removeprefix("NVIDIA "), None, 0, (int(major), int(minor)))
            there[index] = there[uuid] = replace(known, memory=int(mib) << 20)
    visible = _visible()
    if visible is None:
        return [gpu for index, gpu in there.items() if index.isdigit()]
    return [there[name] for name in visible if name in there]


def smallest_gpu() -> Gpu | None:
    """The one with the least memory, which all have to make do with; None where none is known."""
    return min(visible_gpus(), key=lambda gpu: gpu.memory, default=None)


def torch_architectures() -> tuple[str, list[str]]:
    """The version of the PyTorch here, and what GPUs it has code for (`sm_80`, …); empty where it cannot be asked."""
    try:
        asked = subprocess.run(
            [sys.executable, "-P", "-c", _ASK_TORCH], capture_output=True, text=True, timeout=120, check=False
        )
    except (OSError, subprocess.TimeoutExpired):
        return "", []
    version, *architectures = asked.stdout.split() or [""]
    return version, architectures


def _visible() -> list[str] | None:
    """What `CUDA_VISIBLE_DEVICES` names; None where it is not set."""
    names = os.environ.get("CUDA_VISIBLE_DEVICES")
    if names is None:
        return None
    return [name.strip() for name in names.split(",") if name.strip() not in ("", "-1")]
