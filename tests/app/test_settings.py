"""What the app remembers from one session to the next."""

from __future__ import annotations

from pathlib import Path

import pytest

from vlmft_console.app.app import VlmftConsole
from vlmft_console.app.settings import kept_theme, settings_file
from vlmft_console.app.themes import LIGHT
from vlmft_core.errors import VlmftError


async def test_the_theme_that_was_chosen_is_that_of_the_next_session(machine: Path) -> None:
    assert kept_theme() == "dark"
    app = VlmftConsole(theme=kept_theme())
    async with app.run_test() as pilot:
        await pilot.press("ctrl+t")
        assert app.theme == LIGHT.name
    assert kept_theme() == "light"


@pytest.mark.parametrize("text", ["theme: blue\n", "colours: dark\n", "theme\n"])
def test_a_setting_that_is_none_is_named_with_its_line(machine: Path, text: str) -> None:
    settings_file().parent.mkdir(parents=True, exist_ok=True)
    settings_file().write_text(f"# mine\n{text}")
    with pytest.raises(VlmftError, match=r"console\.yaml:2: "):
        kept_theme()
