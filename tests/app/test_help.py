"""Footer, help screen and command palette say the same: the bindings of the active screen."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from textual.binding import Binding

from tests.app.looking import screen_text, until, until_shown
from vlmft_console.app.app import VlmftConsole
from vlmft_console.app.dialogs.help import HelpScreen
from vlmft_console.app.keys import keys_of
from vlmft_console.app.screens.presets import PresetsScreen
from vlmft_console.app.screens.runs import RunsScreen


async def test_help_lists_every_binding_of_the_screen(machine: Path) -> None:
    async with VlmftConsole().run_test(size=(100, 50)) as pilot:
        await pilot.press("slash", "x", "enter", "f1")  # with something to clear
        await until_shown(pilot, "Everywhere")
        text = " ".join(screen_text(pilot.app).replace("│", " ").split())
        for binding in RunsScreen.BINDINGS:
            assert isinstance(binding, Binding)
            assert binding.tooltip in text
        assert "Dark or light" in text
        await pilot.press("escape")
        assert isinstance(pilot.app.screen, RunsScreen)


async def test_help_is_about_the_screen_it_was_asked_on(machine: Path) -> None:
    async with VlmftConsole().run_test(size=(100, 50)) as pilot:
        await pilot.press("n")
        await until(pilot, lambda: isinstance(pilot.app.screen, PresetsScreen))
        await pilot.press("question_mark")
        await until_shown(pilot, "Compare all presets")
        assert "Go on from the newest checkpoint" not in screen_text(pilot.app)
        await pilot.press("question_mark")
        assert isinstance(pilot.app.screen, PresetsScreen)


async def test_the_palette_runs_what_a_key_does(machine: Path) -> None:
    async with VlmftConsole().run_test(size=(100, 40)) as pilot:
        await until_shown(pilot, "enter open")
        await pilot.press("ctrl+p")
        await until_shown(pilot, "Choose a preset for a new run")
        await pilot.press(*"new", "enter")
        await until(pilot, lambda: isinstance(pilot.app.screen, PresetsScreen))


@pytest.mark.parametrize("width", [1, 10, 40, 80, 120])
async def test_the_footer_names_whole_keys_only_and_never_forgets_help(machine: Path, width: int) -> None:
    async with VlmftConsole().run_test(size=(width, 12)) as pilot:
        await pilot.pause()
        shown = [key for key in keys_of(pilot.app.screen) if key.shown]
        line = screen_text(pilot.app).splitlines()[-1]
        if width >= 10:
            assert "? help" in line
        parts = [part for part in line.strip().split("  ") if part]
        names = {f"{key.display.split(' ')[0]} {key.description}" for key in shown}
        assert width < 10 or set(parts) <= names
        assert len(parts) > {10: 0, 40: 2, 80: 6, 120: 9}.get(width, -1)


async def test_a_click_on_the_footer_does_what_the_key_does(machine: Path) -> None:
    async with VlmftConsole().run_test(size=(100, 24)) as pilot:
        await until_shown(pilot, "enter open  n new")
        column = screen_text(pilot.app).splitlines()[-1].index("new")
        await pilot.click(offset=(column, 23))
        await until(pilot, lambda: isinstance(pilot.app.screen, PresetsScreen))


async def test_help_scrolls_on_a_small_screen(machine: Path) -> None:
    async with VlmftConsole().run_test(size=(40, 12)) as pilot:
        await pilot.press("question_mark")
        await until_shown(pilot, "This screen")
        await pilot.press("G")
        await until_shown(pilot, "Dark or light")
        await pilot.press("g")
        await until_shown(pilot, "This screen")
        assert isinstance(pilot.app.screen, HelpScreen)


def test_how_it_looks(machine: Path, snap_compare: Callable[..., bool]) -> None:
    assert snap_compare(VlmftConsole(), terminal_size=(80, 24), press=["question_mark"])
