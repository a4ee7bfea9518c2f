"""Messages: they go with what they are about, cover little, and can be read whole and later."""

from __future__ import annotations

import gc
from pathlib import Path
from weakref import ref

import pytest

from tests.app.looking import screen_text, until, until_shown
from vlmft_console.app.app import VlmftConsole
from vlmft_console.app.dialogs.told import ToldScreen
from vlmft_console.app.screens.presets import PresetsScreen
from vlmft_console.app.tell import tell

NOTHING = "Mark two to eight runs"
LONG = "/somewhere/".join(f"part{number} of a message" for number in range(12))


async def test_a_message_goes_with_the_screen_it_was_said_on(machine: Path) -> None:
    async with VlmftConsole().run_test(size=(80, 24), notifications=True) as pilot:
        await pilot.press("c")
        await until_shown(pilot, NOTHING)
        await pilot.press("n")
        await until(pilot, lambda: isinstance(pilot.app.screen, PresetsScreen))
        await pilot.pause()
        assert NOTHING not in screen_text(pilot.app)
        await pilot.press("escape")
        await until_shown(pilot, "enter open")
        assert NOTHING not in screen_text(pilot.app)


async def test_a_message_is_not_seen_behind_a_dialog(machine: Path) -> None:
    async with VlmftConsole().run_test(size=(80, 24), notifications=True) as pilot:
        await pilot.press("c")
        await until_shown(pilot, NOTHING)
        await pilot.press("exclamation_mark")  # a small one, which says it itself
        await until_shown(pilot, "Messages")
        await until(pilot, lambda: screen_text(pilot.app).count(NOTHING) == 1, seconds=2)


async def test_what_the_app_says_stays_on_the_next_screen_and_is_there_once(machine: Path) -> None:
    async with VlmftConsole().run_test(size=(80, 24), notifications=True) as pilot:
        tell(pilot.app, "written: /tmp/a.svg")
        await until_shown(pilot, "written:")
        await pilot.press("exclamation_mark")
        await until(pilot, lambda: isinstance(pilot.app.screen, ToldScreen))
        await pilot.press("escape", "n")
        await until(pilot, lambda: isinstance(pilot.app.screen, PresetsScreen))
        await until_shown(pilot, "written: /tmp/a.svg")
        assert screen_text(pilot.app).count("written:") == 1


@pytest.mark.parametrize("size", [(40, 12), (80, 24), (120, 40)])
async def test_a_long_message_covers_two_lines_and_says_which_key_shows_all_of_it(
    machine: Path, size: tuple[int, int]
) -> None:
    async with VlmftConsole().run_test(size=size, notifications=True) as pilot:
        await until_shown(pilot, "minutes.")
        tell(pilot.app, LONG)
        await until_shown(pilot, "part0")
        covered = pilot.app.screen.query_one("Toast").region
        assert (covered.y, covered.height) == (size[1] - 3, 2)
        assert screen_text(pilot.app).splitlines()[-2].endswith("… ! shows all")
        await pilot.press("exclamation_mark")
        await until(pilot, lambda: isinstance(pilot.app.screen, ToldScreen))
        await pilot.press("G")
        await until_shown(pilot, "part11 of a")


async def test_a_message_can_be_read_after_it_has_gone_and_the_newest_stands_first(machine: Path) -> None:
    async with VlmftConsole().run_test(size=(80, 24), notifications=True) as pilot:
        await pilot.press("exclamation_mark")
        await until_shown(pilot, "none so far")
        await pilot.press("exclamation_mark")
        await until(pilot, lambda: not isinstance(pilot.app.screen, ToldScreen))
        await pilot.press("c")
        await until_shown(pilot, NOTHING)
        tell(pilot.app, "Later.")
        await until(pilot, lambda: NOTHING not in screen_text(pilot.app))
        await pilot.press("exclamation_mark")
        await until(pilot, lambda: NOTHING in screen_text(pilot.app))
        text = screen_text(pilot.app)
        assert text.index("Later.") < text.index(NOTHING)


async def test_a_screen_that_was_closed_is_not_kept_for_the_messages_that_were_about_it(machine: Path) -> None:
    async with VlmftConsole().run_test(size=(80, 24), notifications=True) as pilot:
        closed = []
        for number in range(3):
            await pilot.press("n")
            await until(pilot, lambda: isinstance(pilot.app.screen, PresetsScreen))
            closed.append(ref(pilot.app.screen))
            for text in (f"first of {number}", f"second of {number}"):
                tell(pilot.app.screen, text)
                await until_shown(pilot, text)
            await pilot.press("escape")
            await until_shown(pilot, "enter open")
        await until(pilot, lambda: gc.collect() >= 0 and closed[0]() is None)
