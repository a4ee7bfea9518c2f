"""Preflight: what can be known to be wrong with this machine before anything starts."""

from __future__ import annotations

import os
import socket
import subprocess
from importlib.util import find_spec
from pathlib import Path

from vlmft_console.errors import MachineError
from vlmft_core.preset import Preset

_NEEDED = ("torch", "transformers", "peft", "deepspeed", "datasets", "PIL")
_REPORTERS = {"tensorboard": ("tensorboard", "tensorboardX")}
"""Modules of which one must be there for a service; for the others the module is called as the service."""


def check_libraries() -> None:
    """Raises:
    MachineError: the training libraries are not there.
    """
    missing = [name for name in _NEEDED if find_spec(name) is None]
    if missing:
        raise MachineError(
            f"training needs {', '.join(missing)}",
            "install the training half: pip install '.[train]' in the folder that vlmft came in",
        )


def check_machine(preset: Preset) -> None:
    """Raises:
    MachineError: the training libraries, or the GPUs that the preset asks for, are not there.
    """
    check_libraries()
    for service in preset.training.report_to:
        modules = _REPORTERS.get(service, (service,))
        if not any(find_spec(module) for module in modules):
            raise MachineError(f"training.report_to: {service} is not installed", f"pip install {modules[0]}")
    if preset.model.quantization != "none" and find_spec("bitsandbytes") is None:
        raise MachineError(
            f"model.quantization: {preset.model.quantization} needs bitsandbytes", "pip install bitsandbytes"
        )
    wanted = preset.hardware.gpus
    if preset.hardware.device == "cuda" and (found := count_gpus()) < wanted:
        raise MachineError(
            f"hardware.gpus: {wanted} asked for, {found} found on this machine",
            f"pass --gpus {found}" if found else "try the demo preset, which runs on a CPU",
        )


def count_gpus() -> int:
    """NVIDIA GPUs that a process started now would see: `CUDA_VISIBLE_DEVICES`, else what the driver lists."""
    visible = os.environ.get("CUDA_VISIBLE_DEVICES")
    if visible is not None:
        return len([name for name in visible.split(",") if name.strip() not in ("", "-1")])
    try:
        listed = subprocess.run(["nvidia-smi", "-L"], capture_output=True, text=True, timeout=30, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return len(list(Path("/proc/driver/nvidia/gpus").glob("*")))
    return sum(line.startswith("GPU ") for line in listed.stdout.splitlines())


def free_port(wanted: int = 0) -> int:
    """A TCP port that nothing listened on a moment ago: `wanted`, or where that is taken any other."""
    with socket.socket() as probe:
        try:
            probe.bind(("127.0.0.1", wanted))
        except OSError:
            probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
