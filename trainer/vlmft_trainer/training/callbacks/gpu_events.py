"""`gpu` events: memory, load, power and temperature of the run's GPUs on rank 0's host, every ten seconds."""

from __future__ import annotations

import socket
import threading
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final, Self

import torch

from vlmft_core.errors import first_line
from vlmft_core.figures import GIB
from vlmft_core.run_folder.events import GPU
from vlmft_trainer.distributed import ranks
from vlmft_trainer.training.run_log import RunLog

SECONDS: Final = 10.0
PATIENCE_S: Final = 5.0
"""Longest wait, at the end, for a driver that does not answer, in seconds."""

FIGURES: Final[Mapping[str, tuple[Callable[[Any, Any], int], float]]] = {
    "util": (lambda nvml, gpu: nvml.nvmlDeviceGetUtilizationRates(gpu).gpu, 1),  # percent
    "mem_gib": (lambda nvml, gpu: nvml.nvmlDeviceGetMemoryInfo(gpu).used, GIB),
    "mem_total_gib": (lambda nvml, gpu: nvml.nvmlDeviceGetMemoryInfo(gpu).total, GIB),
    "power_w": (lambda nvml, gpu: nvml.nvmlDeviceGetPowerUsage(gpu), 1000),
    "temp_c": (lambda nvml, gpu: nvml.nvmlDeviceGetTemperature(gpu, nvml.NVML_TEMPERATURE_GPU), 1),
}
"""By field of the event: how NVML is asked, and how many of its units make one of ours."""

NOT_AVAILABLE: Final = (2**32 - 1, 2**64 - 1)
"""What NVML says of a figure that it does not have, beside raising an error."""


class GpuEvents:
    """Writes `gpu` events while it is entered, from a thread of rank 0, so that a driver cannot harm the training.

    A figure that the driver does not give (of a MIG slice load, power and temperature) is null, and a note says once
    why. A run on GPUs without NVML gets one note and no events; a run on a CPU neither.
    """

    def __init__(self, log: RunLog, seconds: float = SECONDS) -> None:
        self._log = log
        self._seconds = seconds
        self._nvml: Any = None
        self._gpus: list[tuple[int, Any]] = []
        """Number that `nvidia-smi` shows, and NVML's handle, of each."""
        self._missed: set[tuple[int, str]] = set()
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._watch, name="gpu figures", daemon=True)

    def __enter__(self) -> Self:
        """Every rank calls it, and says which GPU it computes on."""
        if torch.cuda.is_available():
            here = socket.gethostname()
            own = str(torch.cuda.get_device_properties(ranks.device()).uuid)
            uuids = dict.fromkeys(uuid for host, uuid in ranks.gather((here, own)) if host == here)
            if ranks.rank() == 0 and self._open(list(uuids)):
                self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stopped.set()
        if self._thread.is_alive():
            self._thread.join(PATIENCE_S)

    def _open(self, uuids: Sequence[str]) -> bool:
        """Find the GPUs; whether there is one to watch."""
        try:
            import pynvml  # there may be none: then the run does without figures

            self._nvml = pynvml
            pynvml.nvmlInit()
            self._gpus = [self._find(uuid, place) for place, uuid in enumerate(uuids)]
        except Exception as error:  # whatever the library or the driver raises, the training goes on
            self._log.note(f"no GPU figures are written: {first_line(error)}")
        return bool(self._gpus)

    def _find(self, uuid: str, place: int) -> tuple[int, Any]:
        """A GPU's number and handle; a MIG slice's number is its place among the run's GPUs."""
        try:
            gpu = self._nvml.nvmlDeviceGetHandleByUUID(f"GPU-{uuid}")
        except self._nvml.NVMLError_NotFound:
            return place, self._nvml.nvmlDeviceGetHandleByUUID(f"MIG-{uuid}")
        return self._nvml.nvmlDeviceGetIndex(gpu), gpu

    def _watch(self) -> None:
        while not self._stopped.is_set():
            missing: dict[str, list[str]] = defaultdict(list)
            gpus = [
                {"index": index, **{name: self._figure(index, gpu, name, missing) for name in FIGURES}}
                for index, gpu in self._gpus
            ]
            if self._stopped.is_set():  # the driver was slow, and the run has ended
                return
            self._log.write(GPU, gpus=gpus)
            for reason, names in missing.items():
                self._log.note(f"GPU figures not known: {', '.join(names)} ({reason})")
            self._stopped.wait(self._seconds)

    def _figure(self, index: int, gpu: Any, name: str, missing: Mapping[str, list[str]]) -> float | None:
        """One figure; for None the reason goes to `missing` the first time."""
        ask, unit = FIGURES[name]
        try:
            value = ask(self._nvml, gpu)
            reason = "not available" if value in NOT_AVAILABLE else ""
        except Exception as error:  # as above
            reason = first_line(error)
        if not reason:
            return round(value / unit, 2)
        if (index, name) not in self._missed:
            self._missed.add((index, name))
            missing[reason].append(f"{name} of GPU {index}")
        return None
