"""What the app remembers from one session to the next."""

from __future__ import annotations

from pathlib import Path

import pytest

from vlmft_console.app.app import VlmftConsole
from vlmft_console.app.settings import keep, kept_settings, settings_file
from vlmft_console.app.themes import LIGHT
from vlmft_core.errors import VlmftError


async def test_the_theme_that_was_chosen_is_that_of_the_next_session(machine: Path) -> None:
    assert kept_settings().theme == "dark"
    app = VlmftConsole(theme=kept_settings().theme)
    async with app.run_test() as pilot:
        await pilot.press("ctrl+t")
        assert app.theme == LIGHT.name
    assert kept_settings().theme == "light"


@pytest.mark.parametrize(
    "text", ["theme: blue\n", "colours: dark\n", "theme\n", "panels: loss\n", "panels: [1]\n", 'panels: ["("]\n']
)
def test_a_setting_that_is_none_is_named_with_its_line(machine: Path, text: str) -> None:
    settings_file().parent.mkdir(parents=True, exist_ok=True)
    settings_file().write_text(f"# mine\n{text}")
    with pytest.raises(VlmftError, match=r"console\.yaml:2: "):
        kept_settings()


def test_a_setting_that_changes_leaves_the_rest_of_the_file_alone(machine: Path) -> None:
    settings_file().parent.mkdir(parents=True, exist_ok=True)
    settings_file().write_text("# mine\ntheme: light  # at noon\n")
    keep("panels", ["eval_.*", "lr"])
    keep("panels", ["chartqa: 1", "größe #2"])
    assert settings_file().read_text().startswith("# mine\ntheme: light  # at noon\n")
    assert kept_settings().theme == "light"
    assert kept_settings().panels == ("chartqa: 1", "größe #2")
