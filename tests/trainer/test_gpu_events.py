"""`gpu` events, with a stand-in for NVML: figures that are not there, a driver that fails or does not answer."""

from __future__ import annotations

import json
import socket
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest
import torch

from vlmft_core.run_folder.events import EventWriter, Record, parse
from vlmft_trainer.distributed import ranks
from vlmft_trainer.training.callbacks import gpu_events
from vlmft_trainer.training.callbacks.gpu_events import GpuEvents
from vlmft_trainer.training.run_log import RunLog


class NVMLError(Exception):
    """As pynvml's: its kinds are classes of their own."""


class NVMLError_NotFound(NVMLError):
    def __str__(self) -> str:
        return "Not Found"


class NVMLError_NotSupported(NVMLError):
    def __str__(self) -> str:
        return "Not Supported"


class Nvml(ModuleType):
    """A machine with eight GPUs of 80 GiB, `GPU-0` to `GPU-7`, and a MIG slice, under pynvml's names."""

    NVML_TEMPERATURE_GPU = 0
    NVMLError = NVMLError
    NVMLError_NotFound = NVMLError_NotFound

    def __init__(self) -> None:
        super().__init__("pynvml")
        self.asked = 0
        self.fails: dict[str, Exception] = {}
        """By name of the function: what it raises."""
        self.power = 300_250
        self.wait: Callable[[], object] = lambda: None
        """Called before each power is told."""

    def _may_fail(self, name: str) -> None:
        if name in self.fails:
            raise self.fails[name]

    def nvmlInit(self) -> None:
        self._may_fail("init")

    def nvmlDeviceGetHandleByUUID(self, uuid: str) -> str:
        if uuid in {f"GPU-{number}" for number in range(8)} | {"MIG-slice"}:
            return uuid
        raise NVMLError_NotFound

    def nvmlDeviceGetIndex(self, gpu: str) -> int:
        return int(gpu.removeprefix("GPU-"))

    def nvmlDeviceGetUtilizationRates(self, gpu: str) -> Any:
        self._not_of_slices(gpu)
        self._may_fail("util")
        return SimpleNamespace(gpu=97, memory=40)

    def nvmlDeviceGetMemoryInfo(self, gpu: str) -> Any:
        self._may_fail("memory")
        return SimpleNamespace(total=80 * 2**30, free=10 * 2**30, used=70 * 2**30)

    def nvmlDeviceGetPowerUsage(self, gpu: str) -> int:
        self.asked += 1
        self.wait()
        self._not_of_slices(gpu)
        self._may_fail("power")
        return self.power

    def nvmlDeviceGetTemperature(self, gpu: str, sensor: int) -> int:
        self._not_of_slices(gpu)
        self._may_fail("temperature")
        assert sensor == self.NVML_TEMPERATURE_GPU
        return 61

    def _not_of_slices(self, gpu: str) -> None:
        if gpu.startswith("MIG"):
            raise NVMLError_NotSupported


class Log(RunLog):
    """A log in a file that tells when it has grown."""

    def __init__(self, path: Path) -> None:
        super().__init__(EventWriter(path))
        self.path = path
        self.grown = threading.Condition()

    def write(self, event: str, **fields: Any) -> None:
        with self.grown:
            super().write(event, **fields)
            self.grown.notify_all()

    def seen(self, event: str) -> list[Record]:
        records = [parse(line) for line in self.path.read_bytes().splitlines()]
        return [record for record in records if record["event"] == event]

    def notes(self) -> list[str]:
        return [record["message"] for record in self.seen("note")]

    def wait_for(self, count: int, event: str = "gpu") -> list[Record]:
        with self.grown:
            assert self.grown.wait_for(lambda: len(self.seen(event)) >= count, timeout=60)
        return self.seen(event)


@pytest.fixture
def log(tmp_path: Path) -> Log:
    return Log(tmp_path / "events.jsonl")


@pytest.fixture
def nvml(monkeypatch: pytest.MonkeyPatch) -> Nvml:
    """A run on one GPU, the machine's third, which is the only one visible."""
    standin = Nvml()
    monkeypatch.setitem(sys.modules, "pynvml", standin)
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    on_gpu(monkeypatch, "2")
    return standin


def on_gpu(monkeypatch: pytest.MonkeyPatch, uuid: str) -> None:
    monkeypatch.setattr(torch.cuda, "get_device_properties", lambda device: SimpleNamespace(uuid=uuid))


def test_a_gpu_is_told_by_the_number_that_nvidia_smi_shows_with_all_its_figures(log: Log, nvml: Nvml) -> None:
    with GpuEvents(log, seconds=0.001) as events:
        first, second, *_ = log.wait_for(2)
    assert not events._thread.is_alive()
    assert first["gpus"] == second["gpus"]
    assert first["gpus"] == [
        {"index": 2, "util": 97.0, "mem_gib": 70.0, "mem_total_gib": 80.0, "power_w": 300.25, "temp_c": 61.0}
    ]
    assert log.notes() == []


def test_every_gpu_of_the_run_on_this_host_is_told_once(log: Log, nvml: Nvml, monkeypatch: pytest.MonkeyPatch) -> None:
    here = socket.gethostname()
    said: list[tuple[str, str]] = []

    def gather(value: tuple[str, str]) -> list[tuple[str, str]]:
        said.append(value)
        return [(here, "5"), (here, "3"), ("another-host", "3"), ("another-host", "4"), (here, "5")]

    monkeypatch.setattr(ranks, "gather", gather)
    with GpuEvents(log):
        (event,) = log.wait_for(1)
    assert [gpu["index"] for gpu in event["gpus"]] == [5, 3]
    assert said == [(here, "2")]


def test_another_rank_says_its_gpu_and_writes_nothing(log: Log, nvml: Nvml, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ranks, "rank", lambda: 1)
    with GpuEvents(log, seconds=0.001) as events:
        assert not events._thread.is_alive()
    assert nvml.asked == 0


def test_a_run_on_a_cpu_has_no_figures_and_no_note(log: Log, monkeypatch: pytest.MonkeyPatch) -> None:
    nvml = Nvml()
    monkeypatch.setitem(sys.modules, "pynvml", nvml)
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    with GpuEvents(log, seconds=0.001):
        pass
    assert log.path.read_bytes() == b""


@pytest.mark.parametrize(
    ("missing", "reason"),
    [
        ("library", "import of pynvml halted; None in sys.modules"),
        ("driver", "Driver Not Loaded"),
        ("gpu", "Not Found"),
    ],
)
def test_a_run_on_gpus_without_nvml_gets_one_note_and_goes_on(
    log: Log, nvml: Nvml, missing: str, reason: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    if missing == "library":
        monkeypatch.setitem(sys.modules, "pynvml", None)
    elif missing == "driver":
        nvml.fails["init"] = NVMLError("Driver Not Loaded")
    else:
        on_gpu(monkeypatch, "unknown")
    with GpuEvents(log, seconds=0.001):
        pass
    assert log.notes() == [f"no GPU figures are written: {reason}"]
    assert log.seen("gpu") == []


def test_a_mig_slice_has_memory_and_one_note_about_the_rest(
    log: Log, nvml: Nvml, monkeypatch: pytest.MonkeyPatch
) -> None:
    on_gpu(monkeypatch, "slice")
    with GpuEvents(log, seconds=0.001):
        event = log.wait_for(3)[-1]
    assert event["gpus"] == [
        {"index": 0, "util": None, "mem_gib": 70.0, "mem_total_gib": 80.0, "power_w": None, "temp_c": None}
    ]
    assert log.notes() == ["GPU figures not known: util of GPU 0, power_w of GPU 0, temp_c of GPU 0 (Not Supported)"]


@pytest.mark.parametrize("value", [2**32 - 1, 2**64 - 1])
def test_a_value_that_stands_for_none_becomes_null(log: Log, nvml: Nvml, value: int) -> None:
    nvml.power = value
    with GpuEvents(log):
        (event,) = log.wait_for(1)
        log.wait_for(1, "note")
    assert event["gpus"][0]["power_w"] is None
    assert log.notes() == ["GPU figures not known: power_w of GPU 2 (not available)"]


@pytest.mark.parametrize(
    "error", [NVMLError("GPU is lost"), OSError("GPU is lost"), AttributeError("GPU is lost\nand more")]
)
def test_a_driver_that_fails_in_the_middle_costs_figures_but_neither_events_nor_the_training(
    log: Log, nvml: Nvml, error: Exception
) -> None:
    with GpuEvents(log, seconds=0.001):
        log.wait_for(2)
        nvml.fails = {"memory": error, "temperature": error}
        log.wait_for(1, "note")
        lost = log.wait_for(len(log.seen("gpu")) + 3)[-1]
        nvml.fails = {}
        again = log.wait_for(len(log.seen("gpu")) + 3)[-1]
    assert lost["gpus"] == [
        {"index": 2, "util": 97.0, "mem_gib": None, "mem_total_gib": None, "power_w": 300.25, "temp_c": None}
    ]
    assert again["gpus"][0]["temp_c"] == 61.0
    told = ", ".join(log.notes())
    assert told.count("temp_c of GPU 2") == told.count("mem_gib of GPU 2") == 1
    assert "(GPU is lost)" in told


def test_a_driver_that_does_not_answer_keeps_no_run_from_ending(
    log: Log, nvml: Nvml, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(gpu_events, "PATIENCE_S", 0.01)
    hanging, answered = threading.Event(), threading.Event()

    def hang() -> None:
        hanging.set()
        answered.wait(60)

    nvml.wait = hang
    with GpuEvents(log, seconds=0.001) as events:
        assert hanging.wait(60)
    assert events._thread.is_alive()
    answered.set()
    events._thread.join(60)
    assert not events._thread.is_alive()
    assert log.path.read_bytes() == b""  # nothing is written after the end


def test_what_is_written_is_valid_json_of_the_documented_fields(log: Log, nvml: Nvml) -> None:
    with GpuEvents(log):
        log.wait_for(1)
    (line,) = log.path.read_bytes().splitlines()
    assert list(json.loads(line)["gpus"][0]) == ["index", "util", "mem_gib", "mem_total_gib", "power_w", "temp_c"]
