"""Keys of one's own: what they do, what the screen says of them, and what is refused."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from tests.app.looking import screen_text, until, until_shown
from tests.run_folders import ended_run
from vlmft_console.app import start
from vlmft_console.app.app import VlmftConsole
from vlmft_console.app.own_keys import own_keys
from vlmft_console.app.screens.presets import PresetsScreen
from vlmft_console.app.screens.replay import ReplayScreen
from vlmft_console.app.screens.runs import RunsScreen
from vlmft_console.app.settings import settings_file
from vlmft_core.errors import VlmftError


async def test_a_moved_key_does_its_work_and_the_old_one_none(machine: Path) -> None:
    ended_run(machine / "outputs", "best-1")
    app = VlmftConsole(own_keys=own_keys({"n": "Z", "?": "f9"}))
    async with app.run_test(size=(120, 40)) as pilot:
        await until_shown(pilot, "best-1")
        assert "Z new" in screen_text(app)
        assert "F9 help" in screen_text(app) or "f9 help" in screen_text(app)
        await pilot.press("n")
        assert isinstance(app.screen, RunsScreen)
        await pilot.press("Z")
        await until(pilot, lambda: isinstance(app.screen, PresetsScreen))


async def test_two_keys_change_places(machine: Path) -> None:
    ended_run(machine / "outputs", "best-1")
    app = VlmftConsole(own_keys=own_keys({"n": "p", "p": "n"}))
    async with app.run_test(size=(120, 40)) as pilot:
        await until_shown(pilot, "best-1")
        await pilot.press("n")
        await until(pilot, lambda: isinstance(app.screen, ReplayScreen))


async def test_what_is_typed_as_text_means_itself(machine: Path) -> None:
    for name in ("one", "two"):
        ended_run(machine / "outputs", name)
    app = VlmftConsole(own_keys=own_keys({"n": "Z", "o": "n"}))
    async with app.run_test(size=(120, 40)) as pilot:
        await until_shown(pilot, "two")
        await pilot.press("slash", *"one")
        await until_shown(pilot, "1 match")


def test_a_comma_and_other_signs_are_keys() -> None:
    wanted = {",": "#", "r": "é"}
    assert own_keys({"n": "ctrl+N"}) == {"n": "", "ctrl+n": "n"}
    assert own_keys(wanted) == {"comma": "", "number_sign": "comma", "r": "", "é": "r"}


@pytest.mark.parametrize(
    ("keys", "said"),
    [
        ({"Q": "f9"}, "Q is none of the console's keys"),
        ({"n": "x"}, "x does something else here"),
        ({"n": "Z", "x": "Z"}, "moved to the same one"),
        ({"n": "nokey"}, "'nokey' is no key"),
        ({"n": ""}, "is no key"),
        ({"n": "ctrl+"}, "is no key"),
        ({"n": "ctrl+m"}, "⏎ does something else here"),
        ({"n": "ctrl+h"}, "⌫ does something else here"),
        ({"n": "shift+z"}, "'shift\\+z' is never sent .write \"Z\""),
    ],
)
def test_what_cannot_be_is_refused(keys: dict[str, str], said: str) -> None:
    with pytest.raises(VlmftError, match=said):
        own_keys(keys)


def test_the_start_refuses_them_in_a_line_that_names_the_file(
    machine: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    settings_file().parent.mkdir(parents=True, exist_ok=True)
    settings_file().write_text('keys: {"n": "x"}\n')
    monkeypatch.setattr(sys, "argv", ["vlmft-console"])
    monkeypatch.setattr("vlmft_console.app.terminal.refusal", lambda _: "")
    with pytest.raises(SystemExit) as end:
        start.main()
    assert end.value.code == 2
    assert "console.yaml: keys: x does something else here" in capsys.readouterr().err
