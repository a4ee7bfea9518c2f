"""The app around the screens: options, themes, messages, errors."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
from textual import events
from textual.color import Color
from textual.screen import Screen

from tests.app.looking import until, until_shown
from tests.run_folders import ended_run
from vlmft_console.app import start
from vlmft_console.app.app import VlmftConsole
from vlmft_console.app.dialogs.help import HelpScreen
from vlmft_console.app.screens.live import LiveScreen
from vlmft_console.app.screens.presets import PresetsScreen
from vlmft_console.app.screens.replay import ReplayScreen
from vlmft_console.app.screens.runs import RunsScreen
from vlmft_console.app.tell import tell
from vlmft_console.app.themes import DARK, LIGHT
from vlmft_console.app.widgets.run.run_list import RunList


async def test_a_target_is_opened_at_once_with_the_runs_behind_it(machine: Path) -> None:
    run = ended_run(machine / "outputs", "best-1")
    async with VlmftConsole(run.path).run_test() as pilot:
        await until(pilot, lambda: isinstance(pilot.app.screen, LiveScreen))
        await pilot.press("escape")
        await until(pilot, lambda: isinstance(pilot.app.screen, RunsScreen))
        await until_shown(pilot, "best-1")


async def test_behind_a_target_the_cursor_is_on_its_run(machine: Path) -> None:
    runs = [ended_run(machine / "outputs", f"run-{number}", hours=number) for number in range(4)]
    async with VlmftConsole(runs[2].path).run_test(size=(80, 24)) as pilot:
        await until(pilot, lambda: isinstance(pilot.app.screen, LiveScreen))
        await pilot.press("escape")
        await until_shown(pilot, "run-3")
        await until(pilot, lambda: pilot.app.screen.query_one(RunList).cursor.endswith("run-2"))


async def test_the_theme_changes_between_dark_and_light(machine: Path) -> None:
    app = VlmftConsole(theme="light")
    async with app.run_test() as pilot:
        assert app.theme == "vlmft-light"
        await pilot.press("ctrl+t")
        assert app.theme == "vlmft-dark"


async def test_q_leaves_from_the_first_screen_and_goes_back_from_others(machine: Path) -> None:
    app = VlmftConsole()
    async with app.run_test() as pilot:
        await pilot.press("question_mark", "q")
        assert isinstance(app.screen, RunsScreen)
        await pilot.press("escape")
        assert isinstance(app.screen, RunsScreen)
        await pilot.press("q")
        await pilot.pause()
    assert app.return_code == 0


@pytest.mark.parametrize(("key", "opened"), [("n", PresetsScreen), ("enter", LiveScreen), ("p", ReplayScreen)])
async def test_a_key_on_anothers_heels_goes_to_the_screen_that_the_first_one_opens(
    machine: Path, key: str, opened: type[Screen[None]]
) -> None:
    ended_run(machine / "outputs", "best-1")
    app = VlmftConsole()
    async with app.run_test() as pilot:
        await until_shown(pilot, "best-1")
        for each in (key, "question_mark"):
            app.post_message(events.Key(each, None))
        await until(pilot, lambda: len(app.screen_stack) == 3)
        assert [type(screen) for screen in app.screen_stack] == [RunsScreen, opened, HelpScreen]


async def test_an_answer_on_the_heels_of_its_question_is_taken(machine: Path) -> None:
    run = ended_run(machine / "outputs", "best-1")
    app = VlmftConsole()
    async with app.run_test() as pilot:
        await until_shown(pilot, "best-1")
        for key in ("d", "y"):
            app.post_message(events.Key(key, None))
        await until(pilot, lambda: not run.path.exists())


async def test_messages_show_foreign_text_as_it_is(machine: Path) -> None:
    app = VlmftConsole()
    async with app.run_test(size=(120, 24), notifications=True) as pilot:
        await until_shown(pilot, "enter open")
        tell(app, "[/foo] [@click=app.quit]x \x1b]0;y\x07")
        await until_shown(pilot, "[/foo] [@click=app.quit]x \\x1b]0;y\\x07")
        assert app.is_running


@pytest.mark.parametrize("theme", [DARK, LIGHT], ids=lambda theme: theme.name)
def test_text_stands_out_from_every_background(theme: object) -> None:
    assert theme in (DARK, LIGHT)
    colours = DARK if theme is DARK else LIGHT
    for background in (colours.background, colours.panel, colours.boost):
        for text in (colours.foreground, colours.primary, colours.warning, colours.error, colours.success):
            assert background is not None
            assert text is not None
            assert contrast(Color.parse(text), Color.parse(background)) >= 4.5, (text, background)
    assert contrast(Color.parse(colours.foreground or ""), Color.parse(colours.background or "")) >= 12


def contrast(one: Color, other: Color) -> float:
    """WCAG 2's contrast ratio: 1 to 21."""

    def luminance(color: Color) -> float:
        parts = [c / 12.92 if c <= 0.03928 else ((c + 0.055) / 1.055) ** 2.4 for c in color.normalized]
        return 0.2126 * parts[0] + 0.7152 * parts[1] + 0.0722 * parts[2]

    high, low = sorted((luminance(one), luminance(other)), reverse=True)
    return (high + 0.05) / (low + 0.05)


def test_the_version_is_printed_without_a_terminal(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "argv", ["vlmft-console", "--version"])
    with pytest.raises(SystemExit) as end:
        start.main()
    assert not end.value.code
    assert capsys.readouterr().out.startswith("vlmft ")


def test_what_is_imported_before_the_first_paint_is_light() -> None:
    import subprocess

    heavy = "pydantic yaml plotext orjson typer vlmft_core.plan vlmft_core.preset vlmft_console.runs.registry"
    code = f"import sys, vlmft_console.app.app; print([name for name in {heavy.split()} if name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"
