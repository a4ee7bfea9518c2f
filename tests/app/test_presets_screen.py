"""The presets: what is shown of them, and what its keys do."""

from __future__ import annotations

import threading
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from textual import events
from textual.pilot import Pilot

from tests.app.looking import screen_text, told, until, until_shown
from vlmft_console.app.app import VlmftConsole
from vlmft_console.app.dialogs.name import NameScreen
from vlmft_console.app.screens.editor import EditorScreen
from vlmft_console.app.screens.launch import LaunchScreen
from vlmft_console.app.screens.presets import PresetsScreen
from vlmft_console.app.screens.runs import RunsScreen
from vlmft_console.app.widgets.preset.preset_compare import PresetCompare
from vlmft_console.presets import table
from vlmft_core.preset import load_preset


@asynccontextmanager
async def presets(size: tuple[int, int] = (120, 40)) -> AsyncIterator[Pilot[None]]:
    async with VlmftConsole().run_test(size=size, notifications=True) as pilot:
        await pilot.press("n")
        await until_shown(pilot, "quick: One epoch")
        yield pilot


async def test_each_preset_has_its_promise_and_a_reason_for_each_value(machine: Path) -> None:
    async with presets() as pilot:
        for wanted in ("quick", "standard", "good", "best", "ultimate", "demo", "+15-20%", "2.6-4.7h"):
            assert wanted in screen_text(pilot.app)
        await pilot.press("j", "j", "j")
        await until_shown(pilot, "best: Best results")
        for wanted in (
            "estimated: +15-20%, chartqa 65 to 70 %",
            "time: 2.6-4.7h on 8 A100-SXM4-80GB, by counted operations",
            "by the published recipe 18-24h on 8 GPUs",
        ):
            assert wanted in screen_text(pilot.app)
        assert "The published recipe's base model" in screen_text(pilot.app)


async def test_what_differs_from_the_parent_is_marked(machine: Path) -> None:
    async with presets(size=(120, 90)) as pilot:
        assert "extends best; * marks what differs from it" in screen_text(pilot.app)
        assert "* epochs 1" in screen_text(pilot.app)
        assert "  dropout 0.05" in screen_text(pilot.app)


async def test_the_table_marks_what_differs_from_the_preset_under_the_cursor(machine: Path) -> None:
    async with presets() as pilot:
        await pilot.press("j", "t")
        await until_shown(pilot, "* differs from standard")
        [rate] = [line for line in screen_text(pilot.app).splitlines() if line.startswith("Learning Rate")]
        assert rate.split() == ["Learning", "Rate", "*2e-4", "1e-4", "*5e-5", "*4e-5", "*4e-5", "*4e-3"]
        assert "*down_proj" in screen_text(pilot.app)  # a list is not cut off
        await pilot.press("t")
        await until_shown(pilot, "standard: Two epochs")


async def test_on_eighty_columns_the_table_has_every_preset_of_ours(machine: Path) -> None:
    async with presets(size=(80, 24)) as pilot:
        await pilot.press("t")
        await until_shown(pilot, "[quick]")
        assert screen_text(pilot.app).splitlines()[1].split() == [
            "[quick]",
            "standard",
            "good",
            "best",
            "ultimate",
            "demo",
        ]
        rows = {line[:18].strip(): line[19:].split() for line in screen_text(pilot.app).splitlines()}
        assert rows["Dataloader Workers"] == ["2", "2", "2", "2", "2", "*0"]


@pytest.mark.parametrize("size", [(40, 12), (40, 20), (70, 24)])
async def test_a_narrow_table_shows_the_chosen_preset_and_where_there_are_more(
    machine: Path, size: tuple[int, int]
) -> None:
    async with presets(size=size) as pilot:
        await pilot.press("j", "j", "t")
        await until_shown(pilot, "[good]")
        await pilot.press("right", "l", "right", "right")
        await until_shown(pilot, "[demo]")
        assert "← 6 of 6  " in screen_text(pilot.app)
        await pilot.press("left", "h", "left", "left", "left", "left")
        await until_shown(pilot, "[quick]")
        assert "  1 of 6 →" in screen_text(pilot.app)


async def test_the_keys_act_on_the_column_that_is_chosen(machine: Path) -> None:
    async with presets() as pilot:
        await pilot.press("t")
        await until_shown(pilot, "[quick]")
        await pilot.press("right", "right")
        await until_shown(pilot, "* differs from good")
        await pilot.press("e")
        await until(pilot, lambda: isinstance(pilot.app.screen, EditorScreen))
        await until_shown(pilot, "good: nothing changed")
        await pilot.press("escape")
        await until_shown(pilot, "[good]")
        await pilot.press("enter")
        await until_shown(pilot, "Start a run of good")
        await pilot.press("escape")
        await until_shown(pilot, "[good]")
        await pilot.press("left", "t")
        await until_shown(pilot, "standard: Two epochs")


async def test_a_click_chooses_a_column(machine: Path) -> None:
    async with presets() as pilot:
        await pilot.press("t")
        await until_shown(pilot, "[quick]")
        [titles] = [line for line in screen_text(pilot.app).splitlines() if "[quick]" in line]
        await pilot.click(PresetCompare, offset=(titles.index("best") + 1, 3))
        await until_shown(pilot, "[best]")


async def test_presets_of_ones_own_are_marked_and_tell_where_they_are_and_what_they_hide(machine: Path) -> None:
    folder = machine / "presets"
    folder.mkdir()
    (folder / "best.yaml").write_text("extends: best\nabout: {summary: not the shipped one}\n")
    (folder / "mine.yaml").write_text("extends: best\nabout: {summary: something new}\n")
    async with presets() as pilot:
        lines = screen_text(pilot.app).splitlines()
        whose = {line.split()[0]: line.split()[1:3] for line in lines if line.startswith(("best ", "mine ", "good "))}
        assert whose == {"best": ["yours", "!"], "mine": ["yours", "2.6-4.7h"], "good": ["vlmft's", "+12%"]}
        await pilot.press("G")
        await until_shown(pilot, "yours, in presets")
        assert "hides" not in screen_text(pilot.app)
        await pilot.press("k", "k", "k")
        await until_shown(pilot, "! hides the best that comes with vlmft")


async def test_a_copy_under_a_shipped_name_is_refused_with_another_name(machine: Path) -> None:
    async with presets() as pilot:
        await pilot.press("n")
        await until(pilot, lambda: isinstance(pilot.app.screen, NameScreen))
        await pilot.press(*"best", "enter")
        await until(pilot, lambda: "such as best-2" in told(pilot.app))
        assert not list(machine.glob("config/**/*.yaml"))


async def test_enter_opens_the_launch_and_e_the_editor(machine: Path) -> None:
    async with presets() as pilot:
        await pilot.press("enter")
        await until(pilot, lambda: isinstance(pilot.app.screen, LaunchScreen))
        await pilot.press("escape")
        await until(pilot, lambda: isinstance(pilot.app.screen, PresetsScreen))
        await pilot.press("e")
        await until(pilot, lambda: isinstance(pilot.app.screen, EditorScreen))


async def test_a_copy_builds_on_its_preset_and_opens_in_the_editor(machine: Path) -> None:
    async with presets() as pilot:
        await pilot.press("j", "n")
        await until(pilot, lambda: isinstance(pilot.app.screen, NameScreen))
        await pilot.press(*"mine", "enter")
        await until(pilot, lambda: isinstance(pilot.app.screen, EditorScreen))
        [copy] = machine.glob("config/**/mine.yaml")
        assert load_preset(copy, [copy.parent, Path(__file__).parents[2] / "presets"]).extends == "standard"
        await pilot.press("escape")
        await until_shown(pilot, "mine")


async def test_a_name_that_cannot_be_is_refused_and_nothing_is_written(machine: Path) -> None:
    async with presets() as pilot:
        await pilot.press("n", "slash", "x", "enter")
        await until_shown(pilot, "cannot name a preset")
        assert not list(machine.glob("config/**/*.yaml"))


async def test_a_copy_that_has_no_place_is_said(machine: Path) -> None:
    (machine / "config").write_text("a file where the folder of the configuration would be")
    async with presets() as pilot:
        await pilot.press("n")
        await until(pilot, lambda: isinstance(pilot.app.screen, NameScreen))
        await pilot.press(*"mine", "enter")
        await until(pilot, lambda: "Not a directory" in told(pilot.app))


async def test_a_broken_preset_is_listed_with_its_mistake_and_markup_in_it_is_text(machine: Path) -> None:
    folder = machine / "presets"
    folder.mkdir()
    (folder / "a.yaml").write_text('about: {summary: "[/foo] \\e[31m[@click=app.quit]x"}\n')
    (folder / "b.yaml").write_text("training: {epoch: 3}\n")
    async with presets(size=(160, 40)) as pilot:
        await pilot.press("G")
        await until_shown(pilot, "did you mean epochs?")
        assert "✗ broken" in screen_text(pilot.app)
        await pilot.press("enter")
        await pilot.pause()
        assert isinstance(pilot.app.screen, PresetsScreen)
        await pilot.press("k")
        await until_shown(pilot, "a: [/foo] \\x1b[31m[@click=app.quit]x")


async def test_keys_that_come_before_the_presets_are_read_wait_for_them(
    machine: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    may_be_read = threading.Event()
    read = table.listed_presets
    monkeypatch.setattr(table, "listed_presets", lambda gpu: may_be_read.wait(60) and read(gpu))
    async with VlmftConsole().run_test() as pilot:
        await until_shown(pilot, "? help")
        for key in ("n", "j", "enter"):
            pilot.app.post_message(events.Key(key, None))
        await until_shown(pilot, "vlmft  presets")
        may_be_read.set()
        await until_shown(pilot, "Start a run of standard")


async def test_escape_leads_back_to_the_runs(machine: Path) -> None:
    async with presets() as pilot:
        await pilot.press("t", "escape")
        assert isinstance(pilot.app.screen, PresetsScreen)
        await pilot.press("escape")
        await until(pilot, lambda: isinstance(pilot.app.screen, RunsScreen))


@pytest.mark.parametrize("size", [(80, 24), (120, 40), (200, 60)])
def test_how_it_looks(machine: Path, snap_compare: Callable[..., bool], size: tuple[int, int]) -> None:
    async def settle(pilot: Pilot[None]) -> None:
        await pilot.press("n")
        await until_shown(pilot, "quick: One epoch")
        await pilot.press("j", "j", "j")
        await until_shown(pilot, "best: Best results")

    assert snap_compare(VlmftConsole(), terminal_size=size, run_before=settle)


def test_how_the_table_looks(machine: Path, snap_compare: Callable[..., bool]) -> None:
    async def settle(pilot: Pilot[None]) -> None:
        await pilot.press("n")
        await until_shown(pilot, "quick: One epoch")
        await pilot.press("j", "j", "j", "t")
        await until_shown(pilot, "* differs from best")

    assert snap_compare(VlmftConsole(), terminal_size=(120, 30), run_before=settle)
