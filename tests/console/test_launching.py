"""From a preset to a started run: settled first, checked, started once."""

from __future__ import annotations

import shutil
import socket
import sys
import time
from pathlib import Path
from typing import NamedTuple

import pytest

from tests.supervised import STANDIN
from vlmft_console.errors import MachineError, RunFolderError
from vlmft_console.paths import preset_folders
from vlmft_console.places.place import Hosts
from vlmft_console.runs import preflight, training_command
from vlmft_console.runs.folder import Command, RunFolder
from vlmft_console.runs.launching import Check, Launch, checks, prepare, renewed, start
from vlmft_console.runs.registry import find
from vlmft_core.errors import VlmftError
from vlmft_core.preset import Preset, load_preset

DEMO = load_preset("demo", preset_folders()).preset
BEST = load_preset("best", preset_folders()).preset


@pytest.fixture(autouse=True)
def _no_hub(here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An empty folder to work in, and a cache of the hub without models."""
    monkeypatch.setenv("HF_HOME", str(here / "hf"))


def found(launch: Launch, level: str) -> list[str]:
    return [check.text for check in checks(launch) if check.level == level]


def test_everything_is_settled_and_nothing_written(here: Path) -> None:
    launch = prepare(DEMO, "demo", name="mine")
    assert launch.folder.path == Path("outputs/mine")
    assert launch.plan.total_steps
    assert f"--output_dir={here / 'outputs' / 'mine'}" in launch.command.argv
    assert not list(here.iterdir())


def test_without_a_name_one_is_made_of_the_preset_and_the_time() -> None:
    assert prepare(DEMO, "demo").name.startswith("demo-20")


def test_other_gpus_keep_the_effective_batch() -> None:
    launch = prepare(DEMO, "demo", gpus=1)
    assert launch.preset.training.effective_batch == DEMO.training.effective_batch
    assert "1 GPU instead of 2" in launch.note
    assert launch.note in found(launch, "caution")
    assert "training libraries are installed; 1 process on the CPU" in found(launch, "ok")


def test_a_bad_name_is_refused() -> None:
    with pytest.raises(RunFolderError, match="cannot name a run"):
        prepare(DEMO, "demo", name="a/b")


def test_a_run_that_could_start_has_no_stop() -> None:
    launch = prepare(DEMO, "demo")
    assert not found(launch, "stop")
    assert "training libraries are installed; 2 processes on the CPU" in found(launch, "ok")


def test_too_few_gpus_are_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "0,1")
    (text,) = found(prepare(BEST, "best"), "stop")
    assert text == "hardware.gpus: 8 asked for, 2 found on this machine"
    with pytest.raises(MachineError):
        start(prepare(BEST, "best"))
    assert not Path("outputs").exists()


def test_a_disk_that_is_too_small_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    class Usage(NamedTuple):
        free: int

    monkeypatch.setattr(shutil, "disk_usage", lambda path: Usage(1000))
    assert [text for text in found(prepare(DEMO, "demo"), "caution") if "checkpoints will not be saved" in text]


def test_too_little_shared_memory_is_said_with_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    class Usage(NamedTuple):
        free: int

    said = []
    for free in (64 * 2**20, 2**40):
        monkeypatch.setattr(shutil, "disk_usage", lambda path, free=free: Usage(free))
        said.append([text for text in found(prepare(BEST, "charts"), "caution") if "/dev/shm" in text])
    assert len(said[0]) == 1
    assert "docker run --shm-size=3g" in said[0][0]
    assert "data.workers" in said[0][0]
    assert not said[1]


def test_a_taken_name_and_a_root_that_cannot_be_used_are_said(here: Path) -> None:
    (here / "outputs" / "mine").mkdir(parents=True)
    (here / "file").touch()
    assert found(prepare(DEMO, "demo", name="mine"), "stop") == ["outputs/mine exists already: choose another run name"]
    assert "not a folder" in found(prepare(DEMO, "demo", root=here / "file" / "x"), "stop")[0]


def test_what_has_to_be_downloaded_is_said(here: Path) -> None:
    launch = prepare(BEST, "best")
    assert any("Qwen2.5-VL-7B-Instruct is not in the Hugging Face cache" in text for text in found(launch, "caution"))
    (here / "hf" / "hub" / "datasets--lmms-lab--textvqa" / "snapshots" / "abc").mkdir(parents=True)
    assert "textvqa: lmms-lab/textvqa is in the Hugging Face cache" in found(launch, "ok")


def test_a_data_folder_that_is_not_there_stops() -> None:
    preset = Preset.model_validate(
        {**DEMO.model_dump(), "data": {**DEMO.data.model_dump(), "sources": [{"task": "chartqa", "path": "./none"}]}}
    )
    assert found(prepare(preset, "demo"), "stop") == ["./none: no such file or folder: mend data.sources"]


def test_a_port_that_is_taken_by_now_is_replaced() -> None:
    launch = prepare(DEMO, "demo", name="mine")
    assert renewed(launch) == launch
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", launch.port))
        taken.listen()
        other = renewed(launch)
    assert other.port != launch.port
    assert f"--master_port={other.port}" in other.command.argv


def test_a_run_is_started_once_and_found_again(monkeypatch: pytest.MonkeyPatch) -> None:
    def command(preset: Preset, folder: RunFolder, port: int, place: object) -> Command:
        return Command((sys.executable, str(STANDIN), "runner", str(folder.path.absolute()), "1", "--steps=1"), {})

    monkeypatch.setattr(training_command, "training_command", command)
    launch = prepare(DEMO, "demo", name="mine")
    folder, _ = start(launch)
    assert find("mine").path == folder.path
    assert load_preset(folder.preset_file).preset == launch.preset
    with pytest.raises(VlmftError, match="exists already"):
        start(launch)
    deadline = time.monotonic() + 120
    while not folder.exit_file.exists():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def test_ctrl_c_while_hosts_are_asked_leaves_no_run_behind(here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(*_: object) -> None:
        assert RunFolder(Path("outputs/mine")).run_file.exists()
        raise KeyboardInterrupt

    monkeypatch.setattr("vlmft_console.runs.hosts_start.check_hosts_here", lambda folder: None)
    monkeypatch.setattr("vlmft_console.runs.hosts_start.prepare_hosts", interrupted)
    with pytest.raises(KeyboardInterrupt):
        start(prepare(DEMO, "demo", name="mine", place=Hosts({"n1": 1, "n2": 1})))
    assert not list((here / "outputs").iterdir())


def test_missing_libraries_are_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(preflight, "find_spec", lambda name: None)
    (check,) = [check for check in checks(prepare(DEMO, "demo")) if check.level == "stop"]
    assert isinstance(check, Check)
    assert "pip install '.[train]'" in check.text
