"""Preflight: what can be known to be wrong with this machine before anything starts."""

from __future__ import annotations

import contextlib
import random
import socket
from collections.abc import Sequence
from importlib.util import find_spec

from vlmft_console.errors import MachineError
from vlmft_console.runs.machine_gpus import count_gpus, torch_architectures, visible_gpus
from vlmft_core.plan.base_folder import find_architecture
from vlmft_core.plan.fit import memory_problem, unusable, ways_to_fit
from vlmft_core.plan.gpus import Gpu, without_code
from vlmft_core.plan.own_sizes import with_own_sizes
from vlmft_core.preset import Preset

_NEEDED = ("torch", "transformers", "peft", "deepspeed", "datasets", "PIL")
_PORTS = range(20_000, 32_768)
_REPORTERS = {"tensorboard": ("tensorboard", "tensorboardX")}
"""Modules of which one must be there for a service; for the others the module is called as the service."""


def check_libraries() -> None:
    """Refuse an installation without the training half.

    Raises:
        MachineError: the training libraries are not there.
    """
    missing = [name for name in _NEEDED if find_spec(name) is None]
    if missing:
        raise MachineError(
            f"this needs {', '.join(missing)}",
            "install the training half: pip install '.[train]' in the folder that vlmft came in",
        )


def check_machine(preset: Preset) -> None:
    """Refuse a machine on which the preset cannot train.

    Raises:
        MachineError: a library or a GPU that the preset asks for is not there, or a GPU cannot be used for it.
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
    if preset.hardware.device == "cuda":
        _check_gpus(preset, visible_gpus()[:wanted])


def _check_gpus(preset: Preset, gpus: Sequence[Gpu]) -> None:
    """Refuse GPUs that cannot train the preset.

    Raises:
        MachineError: one of the GPUs cannot be used by this PyTorch, or for this preset.
    """
    for gpu in gpus:
        if reason := unusable(preset.model, gpu):
            raise MachineError(reason, "`vlmft plan PRESET --gpu NAME` plans for another GPU")
    version, architectures = torch_architectures() if gpus else ("", [])
    for gpu in gpus:
        if architectures and (reason := without_code(gpu, version, architectures)):
            raise MachineError(reason, "install a PyTorch that has, or use another GPU")
    base = find_architecture(preset.model.base)
    if not gpus or base is None:
        return
    smallest, preset = min(gpus, key=lambda gpu: gpu.memory), with_own_sizes(preset)
    trainable = base.lora_parameters(preset.lora)
    if problem := memory_problem(preset, base, trainable, smallest):
        ways = "; ".join(ways_to_fit(preset, base, trainable, smallest))
        raise MachineError(f"memory does not suffice: a GPU {problem}", f"try {ways}" if ways else "")


def free_port(wanted: int = 0) -> int:
    """A TCP port that nothing listened on a moment ago: `wanted`, or where that is taken any other.

    Rank 0 takes it only seconds later: it is none of those that the kernel gives to whatever connects in between.
    """
    for port in (wanted or random.choice(_PORTS), *random.sample(_PORTS, 100)):
        with socket.socket() as probe, contextlib.suppress(OSError):
            probe.bind(("127.0.0.1", port))
            return port
    raise MachineError("no port is free for the ranks to meet at", f"{_PORTS[0]} to {_PORTS[-1]} were tried")
