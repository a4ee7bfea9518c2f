"""The launch screen: what is known to be wrong is said before a start, and a run starts once."""

from __future__ import annotations

import shlex
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from textual.pilot import Pilot
from textual.screen import Screen
from textual.widgets import Input

from tests.app.looking import screen_text, until, until_shown
from tests.run_folders import ended_run
from tests.supervised import STANDIN
from vlmft_console.app.app import VlmftConsole
from vlmft_console.app.screens import launch as launch_module
from vlmft_console.app.screens.editor import EditorScreen
from vlmft_console.app.screens.launch import LaunchScreen, StartLine
from vlmft_console.app.screens.live import LiveScreen
from vlmft_console.app.widgets.base.cut_text import CutText
from vlmft_console.app.widgets.run.run_list import RunList
from vlmft_console.runs import launching, training_command
from vlmft_console.runs.folder import Command, RunFolder
from vlmft_console.runs.launching import Check, Launch
from vlmft_core.preset import LoadedPreset, load_preset

DEMO = """\
model: {base: demo}
lora: {target_modules: [q_proj]}
data: {sources: [{task: chartqa, path: demo}], max_train: 640}
training: {epochs: 6, effective_batch: 32}
evaluation: {eval_steps: 20}
hardware: {device: cpu, gpus: 2}
"""


@pytest.fixture(autouse=True)
def loaded(here: Path) -> LoadedPreset:
    """A small preset, in a folder without runs."""
    (here / "small.yaml").write_text(DEMO)
    return load_preset("./small.yaml")


@pytest.fixture
def standin(monkeypatch: pytest.MonkeyPatch) -> None:
    """Runs are trained by a stand-in that takes a moment."""

    def command(preset: object, folder: RunFolder, port: int, place: object) -> Command:
        return Command((sys.executable, str(STANDIN), "runner", str(folder.path.absolute()), "1", "--steps=2"), {})

    monkeypatch.setattr(training_command, "training_command", command)


@asynccontextmanager
async def launching_screen(
    loaded: LoadedPreset, size: tuple[int, int] = (120, 40)
) -> AsyncIterator[tuple[Pilot[None], LaunchScreen]]:
    """The app with the launch screen open, everything checked."""
    async with launching_screen_anywhere(loaded, size) as (pilot, screen):
        await until_shown(pilot, "training libraries are installed")
        yield pilot, screen


@asynccontextmanager
async def launching_screen_anywhere(
    loaded: LoadedPreset, size: tuple[int, int] = (120, 40)
) -> AsyncIterator[tuple[Pilot[None], LaunchScreen]]:
    """The app with the launch screen open."""
    app = VlmftConsole()
    async with app.run_test(size=size, notifications=True) as pilot:
        screen = LaunchScreen(loaded)
        await app.push_screen(screen)
        yield pilot, screen


def fill(screen: LaunchScreen, field: str, text: str) -> None:
    screen.query_one(f"#{field}", Input).value = text


async def ended(pilot: Pilot[None], folder: Path) -> None:
    """Until the run is over, so that nothing outlives the test."""
    await until(pilot, (folder / "exit.json").exists, 60)


async def test_the_exact_command_is_shown_and_can_be_copied(loaded: LoadedPreset) -> None:
    async with launching_screen(loaded) as (pilot, screen):
        fill(screen, "name", "first")
        await until_shown(pilot, "outputs/first/preset.yaml")
        words = shlex.split(screen.query_one("#command", CutText).text)
        assert f"--output_dir={Path('outputs/first').absolute()}" in words
        assert "--num_gpus=2" in words
        await pilot.press("ctrl+g")
        await until(pilot, lambda: pilot.app.clipboard)
        assert shlex.split(pilot.app.clipboard) == words


async def test_what_a_run_needs_is_checked_before_it_starts(loaded: LoadedPreset) -> None:
    async with launching_screen(loaded) as (pilot, _):
        shown = screen_text(pilot.app)
        assert "2 processes on the CPU" in shown
        assert "of disk are free" in shown
        assert "the base model is on this machine: demo" in shown
        assert "chartqa: generated data" in shown
    assert not Path("outputs").exists()


def cut(screen: str) -> list[bool]:
    """Whether the two lines of the plan and the last one of the command end as what was cut does."""
    lines = [line.rstrip() for line in screen.splitlines()]
    at = next((number for number, line in enumerate(lines) if line.startswith(" plan: ")), 0)
    return [line.endswith("…") for line in (lines[at], lines[at + 1], lines[-2])]


async def test_on_a_small_terminal_what_the_plan_has_no_room_for_is_said_to_be_left_out(loaded: LoadedPreset) -> None:
    async with launching_screen_anywhere(loaded, size=(40, 12)) as (pilot, _):
        await until(pilot, lambda: cut(screen_text(pilot.app)) == [False, True, True])
        await pilot.resize_terminal(120, 40)
        await until_shown(pilot, "of disk\n")


@pytest.mark.parametrize(
    ("field", "text", "message"),
    [
        ("name", "../up", "'../up' cannot name a run"),
        ("name", "", "'' cannot name a run"),
        ("gpus", "x", "'x' is no number of GPUs"),
        ("gpus", "٣", "is no number of GPUs"),
        ("gpus", "3", "cannot be shared evenly by 3 GPUs"),
        ("root", "", "the output root is empty"),
        ("root", "small.yaml/x", "small.yaml is not a folder"),
        ("root", "x" * 300, "File name too long"),
    ],
)
async def test_a_mistake_is_said_while_typing_and_nothing_starts(
    loaded: LoadedPreset, field: str, text: str, message: str
) -> None:
    async with launching_screen(loaded) as (pilot, screen):
        fill(screen, field, text)
        await until_shown(pilot, f"stop {message}" if message.startswith("'") else message)
        await pilot.press("ctrl+l")
        await until_shown(pilot, "! ")
        assert pilot.app.screen is screen
    assert not Path("outputs").exists()


async def test_a_name_that_is_taken_is_said(loaded: LoadedPreset) -> None:
    taken = Path("outputs/mine")
    taken.mkdir(parents=True)
    async with launching_screen(loaded) as (pilot, screen):
        fill(screen, "name", "mine")
        await until_shown(pilot, "outputs/mine exists already")
        await pilot.press("ctrl+l")
        await until_shown(pilot, "! outputs/mine exists already")
    assert not list(taken.iterdir())


async def test_other_gpus_keep_the_effective_batch_and_say_what_changed(loaded: LoadedPreset) -> None:
    async with launching_screen(loaded) as (pilot, screen):
        fill(screen, "gpus", "4")
        await until_shown(pilot, "the effective batch stays 32")
        await until_shown(pilot, "--num_gpus=4")


@pytest.mark.usefixtures("standin")
async def test_a_run_starts_and_is_watched(loaded: LoadedPreset) -> None:
    async with launching_screen(loaded) as (pilot, screen):
        fill(screen, "name", "watched")
        await pilot.press("ctrl+l")
        await until(pilot, lambda: isinstance(pilot.app.screen, LiveScreen))
        assert len(pilot.app.screen_stack) == 2
        assert screen not in pilot.app.screen_stack
        await ended(pilot, Path("outputs/watched"))


@pytest.mark.usefixtures("standin")
async def test_enter_goes_through_the_fields_and_starts_the_run_after_the_last(loaded: LoadedPreset) -> None:
    async with launching_screen(loaded) as (pilot, screen):
        fill(screen, "name", "entered")
        await pilot.press("enter", "enter", "enter")
        await until(pilot, lambda: screen.query_one(StartLine).has_focus)
        assert not Path("outputs").exists()
        await pilot.press("enter")
        await until(pilot, lambda: isinstance(pilot.app.screen, LiveScreen))
        await ended(pilot, Path("outputs/entered"))


@pytest.mark.usefixtures("standin")
async def test_whoever_leaves_the_run_just_started_finds_the_cursor_on_it(loaded: LoadedPreset) -> None:
    ended_run(Path("outputs"), "earlier", hours=0)
    async with VlmftConsole().run_test(size=(120, 40), notifications=True) as pilot:
        await until_shown(pilot, "earlier")
        screen = LaunchScreen(loaded)
        await pilot.app.push_screen(screen)
        await until_shown(pilot, "training libraries are installed")
        fill(screen, "name", "watched")
        await pilot.press("ctrl+l")
        await until(pilot, lambda: isinstance(pilot.app.screen, LiveScreen))
        await ended(pilot, Path("outputs/watched"))
        await pilot.press("q")
        await until_shown(pilot, "earlier")
        await until(pilot, lambda: Path(pilot.app.screen.query_one(RunList).cursor).name == "watched")


@pytest.mark.usefixtures("standin")
async def test_a_run_starts_detached_with_the_policy_chosen(loaded: LoadedPreset) -> None:
    async with launching_screen(loaded) as (pilot, screen):
        fill(screen, "name", "alone")
        screen.query_one("#early-stop").focus()
        await pilot.press("right")
        await pilot.press("ctrl+b")
        await until_shown(pilot, "alone runs in outputs/alone")
        assert len(pilot.app.screen_stack) == 1
        await ended(pilot, Path("outputs/alone"))
    assert load_preset(Path("outputs/alone/preset.yaml")).preset.monitor.early_stop == "auto"


@pytest.mark.usefixtures("standin")
async def test_pressing_the_key_again_and_again_starts_one_run(
    loaded: LoadedPreset, monkeypatch: pytest.MonkeyPatch
) -> None:
    started: list[str] = []

    def counted(launch: Launch) -> tuple[RunFolder, str]:
        started.append(launch.name)
        return launching.start(launch)

    monkeypatch.setattr(launch_module, "start", counted)
    async with launching_screen(loaded) as (pilot, screen):
        fill(screen, "name", "once")
        await pilot.press("ctrl+b", "ctrl+b", "ctrl+l", "ctrl+l")
        await until_shown(pilot, "once runs in outputs/once")
        await ended(pilot, Path("outputs/once"))
    assert started == ["once"]


async def test_a_start_that_fails_is_one_line_and_can_be_tried_again(
    loaded: LoadedPreset, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        training_command, "training_command", lambda preset, folder, port, place: Command(("/no/such/program",), {})
    )
    async with launching_screen(loaded) as (pilot, screen):
        before = screen.query_one("#name", Input).value
        await pilot.press("ctrl+l")
        await until_shown(pilot, "! the supervisor failed")
        assert pilot.app.screen is screen
        await until(pilot, lambda: screen.query_one("#name", Input).value != before)


@pytest.mark.usefixtures("standin")
async def test_launching_from_the_editor_loses_no_unsaved_change() -> None:
    async with VlmftConsole().run_test(size=(120, 40), notifications=True) as pilot:
        editor = EditorScreen("./small.yaml", {"training.epochs": 2})
        await pilot.app.push_screen(editor)
        await pilot.press("ctrl+l")
        await until_shown(pilot, "training libraries are installed")
        fill(pilot.app.screen, "name", "edited")  # type: ignore[arg-type]
        await pilot.press("ctrl+b")
        await until_shown(pilot, "edited runs in outputs/edited")
        assert pilot.app.screen is editor
        assert editor.draft.dirty
        await ended(pilot, Path("outputs/edited"))
    assert load_preset(Path("outputs/edited/preset.yaml")).preset.training.epochs == 2


async def test_a_draft_with_a_mistake_is_not_launched() -> None:
    async with VlmftConsole().run_test(size=(120, 40), notifications=True) as pilot:
        await pilot.app.push_screen(EditorScreen("./small.yaml", {"training.effective_batch": 33}))
        await pilot.press("ctrl+l")
        await until_shown(pilot, "is not a multiple of")
        assert isinstance(pilot.app.screen, EditorScreen)


@pytest.mark.parametrize("size", [(40, 12), (80, 24), (120, 40), (200, 60)])
def test_the_launch_screen_looks_as_it_should(
    loaded: LoadedPreset, size: tuple[int, int], snap_compare: Callable[..., bool], monkeypatch: pytest.MonkeyPatch
) -> None:
    found = [
        Check("ok", "training libraries are installed; 2 processes on the CPU"),
        Check("caution", "9.87 GB of disk are free, about 99.9 GB needed: checkpoints will not be saved"),
        Check("stop", "./charts: no such folder: mend data.sources"),
    ]
    command = Command(
        ("deepspeed", "--num_gpus=2", "--module", "vlmft_trainer.train_vlm_sft"), {"DS_ACCELERATOR": "cpu"}
    )
    monkeypatch.setattr(VlmftConsole, "get_default_screen", lambda app: Screen())
    monkeypatch.setattr(launch_module, "default_name", lambda name: f"{name}-20260102-030405")
    monkeypatch.setattr(launch_module, "checks", lambda launch: found)
    monkeypatch.setattr(training_command, "training_command", lambda preset, folder, port, place: command)

    async def open_it(pilot: Pilot[None]) -> None:
        await pilot.app.push_screen(LaunchScreen(loaded))
        await until_shown(pilot, "DS_ACCELERATOR")
        await pilot.press("ctrl+l")
        await until_shown(pilot, "! ./charts")

    assert snap_compare(VlmftConsole(), terminal_size=size, run_before=open_it)


async def test_a_run_can_be_had_in_a_clusters_queue(loaded: LoadedPreset, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(launching, "check_here", lambda launch: "2026-12-01T08:00:00 on nodes n[1-2]")
    async with launching_screen_anywhere(loaded) as (pilot, screen):
        fill(screen, "place", "nodes=2,ntasks-per-node=4")
        await until_shown(pilot, "8 processes on 2 hosts: would start at 2026-12-01T08:00:00 on nodes n[1-2]")
        assert "sbatch --requeue" in screen_text(pilot.app)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("juno", "no place is called 'juno'"),
        ("n1:x", "n1: 'x' is no number of ranks"),
        ("nodes=2,array=1-4", "array cannot be used"),
        ("nodes=3", "cannot be spread evenly over 3 nodes"),
    ],
)
async def test_a_place_that_cannot_be_is_said_before_a_start(loaded: LoadedPreset, text: str, message: str) -> None:
    async with launching_screen_anywhere(loaded) as (pilot, screen):
        fill(screen, "place", text)
        await until_shown(pilot, message)
