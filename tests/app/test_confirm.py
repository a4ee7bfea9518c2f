"""Questions and messages: what they look like where there is little room."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.app.looking import screen_text, told, until_shown
from vlmft_console.app.app import VlmftConsole
from vlmft_console.app.dialogs.confirm import Answer, ConfirmScreen
from vlmft_console.app.tell import tell


@pytest.mark.parametrize("size", [(40, 12), (80, 24)])
async def test_a_long_answer_goes_on_under_its_own_text_and_not_under_the_keys(
    machine: Path, size: tuple[int, int]
) -> None:
    answer = Answer("n", "stop now; the steps that were made since the last checkpoint are lost for good", "now")
    async with VlmftConsole().run_test(size=size) as pilot:
        pilot.app.push_screen(ConfirmScreen("Stop it?", [answer]))
        await until_shown(pilot, "for good")
        lines = screen_text(pilot.app).splitlines()
        first = next(line for line in lines if "stop now" in line)
        last = next(line for line in lines if "for good" in line)
        under = last.index(last.strip(" │").split()[0])
        assert first is last or under == first.index("stop now")


async def test_a_message_takes_the_place_of_the_one_before(machine: Path) -> None:
    app = VlmftConsole()
    async with app.run_test(size=(80, 24), notifications=True) as pilot:
        tell(app, "it stops at the next step")
        tell(app, "ending all ranks now")
        await until_shown(pilot, "ending all ranks now")
        assert told(app) == "ending all ranks now"
        lines = screen_text(app).splitlines()
        assert "ending all ranks now" in lines[-2]
        assert "enter open" in lines[-1]
