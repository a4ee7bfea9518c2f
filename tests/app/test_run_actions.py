"""Keys that start, end or delete something: each asks first."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from tests.app.looking import screen_text, told, until, until_shown
from tests.run_folders import ended_run
from vlmft_console.app.app import VlmftConsole
from vlmft_console.app.dialogs.confirm import ConfirmScreen
from vlmft_console.runs import resuming
from vlmft_console.runs.folder import RunFolder
from vlmft_core.preset.schema import Preset
from vlmft_core.run_folder.checkpoints import seal


@pytest.fixture
def started(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Names of the runs that were started; the machine has all they need."""
    names: list[str] = []

    def start(folder: RunFolder, *, adopt: bool = False) -> str:
        names.append(folder.name)
        return ""

    monkeypatch.setattr(resuming, "start_supervisor", start)
    monkeypatch.setattr(resuming, "check_machine", lambda preset: None)
    monkeypatch.setattr(resuming, "check_base", lambda base: None)
    return names


def stopped_run(root: Path, gpus: int) -> RunFolder:
    """A run that was stopped at step 12 of 40, with a checkpoint of step 8."""
    folder = ended_run(root, "half-done", status="stopped", steps=12, total=40)
    preset = Preset().model_dump(mode="json")
    preset["hardware"]["gpus"] = gpus
    folder.preset_file.write_text(yaml.safe_dump(preset))
    checkpoint = folder.path / "checkpoint-8"
    checkpoint.mkdir()
    for rank in range(gpus):
        (checkpoint / f"rng_state_{rank}.pth").write_text("state")
    seal(checkpoint, 8, 1.0, None, {"world_size": gpus})
    return folder


@pytest.mark.parametrize("screen", ["runs", "live"])
async def test_resuming_asks_with_step_gpus_and_time_and_means_cancel_until_told_otherwise(
    machine: Path, started: list[str], screen: str
) -> None:
    folder = stopped_run(machine / "outputs", 2)
    app = VlmftConsole(*([folder.path] if screen == "live" else []))
    async with app.run_test(size=(80, 24)) as pilot:
        await until_shown(pilot, "half-done")
        await until_shown(pilot, "□ stopped")
        await pilot.press("r")
        await until_shown(pilot, "Resume half-done?")
        text = " ".join(screen_text(app).split())
        assert "from step 8 of 40, on 2 GPUs" in text
        await pilot.press("r", "r")
        assert isinstance(app.screen, ConfirmScreen)
        await pilot.press("enter")
        await until(pilot, lambda: not isinstance(app.screen, ConfirmScreen))
        await pilot.press("r")
        await until_shown(pilot, "Resume half-done?")
        assert started == []
        await pilot.press("y")
        await until(pilot, lambda: started == ["half-done"])


async def test_a_disk_that_fails_is_said_and_the_console_goes_on(
    machine: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(folder: RunFolder) -> None:
        raise OSError(5, "Input/output error")

    monkeypatch.setattr(resuming, "check_resumable", fail)
    ended_run(machine / "outputs", "all-over")
    app = VlmftConsole()
    async with app.run_test(size=(80, 24), notifications=True) as pilot:
        await until_shown(pilot, "all-over")
        await pilot.press("r")
        await until(pilot, lambda: "Input/output error" in told(app))


async def test_a_run_that_cannot_be_resumed_is_not_asked_about(machine: Path, started: list[str]) -> None:
    ended_run(machine / "outputs", "all-over")
    app = VlmftConsole()
    async with app.run_test(size=(80, 24), notifications=True) as pilot:
        await until_shown(pilot, "all-over")
        await pilot.press("r")
        await until(pilot, lambda: "nothing is left to do" in told(app))
        assert not isinstance(app.screen, ConfirmScreen)
    assert started == []
