"""What the app remembers from one session to the next."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Callable
from contextlib import nullcontext
from pathlib import Path

import pytest

from tests.app.looking import told, until, until_shown
from tests.records import step
from tests.run_folders import ended_run
from vlmft_console.app import start, terminal
from vlmft_console.app.app import THEMES, VlmftConsole
from vlmft_console.app.settings import keep, kept_settings, settings_file
from vlmft_console.app.themes import LIGHT
from vlmft_console.charts.smoothing import smooth
from vlmft_console.history.state import RunState
from vlmft_core.errors import VlmftError


async def test_the_theme_that_was_chosen_is_that_of_the_next_session(machine: Path) -> None:
    assert kept_settings().theme == "dark"
    app = VlmftConsole(theme=kept_settings().theme)
    async with app.run_test() as pilot:
        await pilot.press("ctrl+t")
        assert app.theme == LIGHT.name
    assert kept_settings().theme == "light"


@pytest.mark.parametrize(
    ("kept", "options", "theme"),
    [("", [], "dark"), ("theme: light\n", [], "light"), ("theme: light\n", ["--theme", "dark"], "dark")],
)
def test_the_console_starts_with_the_theme_of_the_last_time_unless_another_one_is_asked_for(
    machine: Path, monkeypatch: pytest.MonkeyPatch, kept: str, options: list[str], theme: str
) -> None:
    settings_file().parent.mkdir(parents=True, exist_ok=True)
    settings_file().write_text(kept)
    seen: list[str] = []
    monkeypatch.setattr(sys, "argv", ["vlmft-console", *options])
    monkeypatch.setattr("vlmft_console.app.terminal.refusal", lambda _: "")
    monkeypatch.setattr(terminal, "GiveBack", lambda app: nullcontext())
    monkeypatch.setattr(VlmftConsole, "run", lambda app, **_: seen.append(app.theme))
    monkeypatch.setattr(signal, "signal", lambda *_: None)
    with pytest.raises(SystemExit) as end:
        start.main()
    assert (end.value.code, seen) == (0, [THEMES[theme].name])


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("theme: blue", "'blue' is no theme (it is dark or light)"),
        ("colours: dark", "'colours: dark' is no setting (there are theme, panels, overlay, smoothing, sort,"),
        ("theme", "'' is no theme"),
        ("panels: loss", """'loss' is no panels (it is ["NAME or pattern", …] on one line)"""),
        ("panels: [1]", "'[1]' is no panels"),
        ('panels: ["("]', "panels: (: no regular expression: missing ), unterminated subpattern at position 0"),
        pytest.param(f"panels: {'[' * 9999}", "'[[[", id="deep"),
        ("overlay: 1", "'1' is no overlay"),
        ("smoothing: 0.3", "'0.3' is no smoothing (it is one of 0, 0.01, 0.02, 0.05, 0.1, 0.2)"),
        ("smoothing: much", "'much' is no smoothing"),
        ("sort: colour", "'colour' is no sort (it is one of usual, age, "),
        ("group: yes", "'yes' is no group (it is true or false)"),
        ("pictures: sixel", "'sixel' is no pictures (it is one of auto, kitty, blocks, none)"),
        ("keys: x", "'x' is no keys"),
        ('keys: {"x": 1}', """'{"x": 1}' is no keys"""),
        ('keys: {"x": "X", "x": "Y"}', """'{"x": "X", "x": "Y"}' is no keys"""),
    ],
)
def test_a_setting_that_is_none_is_named_with_its_line_and_what_it_can_be(machine: Path, text: str, said: str) -> None:
    settings_file().parent.mkdir(parents=True, exist_ok=True)
    settings_file().write_text(f"# mine\n{text}\n")
    with pytest.raises(VlmftError) as caught:
        kept_settings()
    assert f"console.yaml:2: {said}" in str(caught.value)
    assert len(str(caught.value)) < 400


def test_settings_that_begin_with_a_mark_of_their_encoding_are_read(machine: Path) -> None:
    settings_file().parent.mkdir(parents=True, exist_ok=True)
    settings_file().write_text("\ufefftheme: light\n")
    assert kept_settings().theme == "light"


def test_a_setting_that_is_there_twice_is_refused_for_nobody_knows_which_is_meant(machine: Path) -> None:
    settings_file().parent.mkdir(parents=True, exist_ok=True)
    settings_file().write_text("theme: light\n\ntheme: dark\n")
    with pytest.raises(VlmftError, match=r"console\.yaml:3: theme is there twice"):
        kept_settings()


async def test_what_cannot_be_kept_is_said_and_done_for_now(machine: Path) -> None:
    settings_file().parent.parent.mkdir(parents=True, exist_ok=True)
    settings_file().parent.write_text("a file where the folder should be")
    async with VlmftConsole().run_test(notifications=True) as pilot:
        await pilot.press("ctrl+t")
        assert pilot.app.theme == LIGHT.name
        await until(pilot, lambda: "theme is not kept for the next time: " in told(pilot.app))


@pytest.mark.parametrize("make", [os.mkfifo, Path.mkdir], ids=["fifo", "folder"])
def test_a_settings_file_that_is_no_file_is_one_line_and_no_wait(machine: Path, make: Callable[[Path], None]) -> None:
    settings_file().parent.mkdir(parents=True, exist_ok=True)
    make(settings_file())
    with pytest.raises(VlmftError, match=r"console\.yaml"):
        kept_settings()


def test_a_setting_that_changes_leaves_the_rest_of_the_file_alone(machine: Path) -> None:
    settings_file().parent.mkdir(parents=True, exist_ok=True)
    settings_file().write_text("# mine\ntheme: light  # at noon\n")
    app = VlmftConsole()
    keep(app, "panels", ["eval_.*", "lr"])
    keep(app, "panels", ["chartqa: 1", "größe #2"])
    assert settings_file().read_text().startswith("# mine\ntheme: light  # at noon\n")
    assert kept_settings().theme == "light"
    assert kept_settings().panels == ("chartqa: 1", "größe #2")


@pytest.mark.parametrize("there", [True, False], ids=["leads to a file", "leads nowhere"])
def test_a_link_in_place_of_the_settings_stays_and_what_it_leads_to_is_written(machine: Path, there: bool) -> None:
    mine = machine / "dotfiles" / "console.yaml"
    if there:
        mine.parent.mkdir()
        mine.write_text("# mine\n")
    settings_file().parent.mkdir(parents=True, exist_ok=True)
    settings_file().symlink_to(mine)
    keep(VlmftConsole(), "theme", "light")
    assert settings_file().is_symlink()
    assert mine.read_text() == ("# mine\n" if there else "") + "theme: light\n"


async def test_settings_that_lead_in_a_circle_are_no_end_of_the_session(machine: Path) -> None:
    app = VlmftConsole()
    async with app.run_test(notifications=True) as pilot:
        settings_file().parent.mkdir(parents=True, exist_ok=True)
        settings_file().symlink_to(settings_file())
        keep(app, "theme", "light")
        await until(pilot, lambda: "theme is not kept for the next time" in told(app))


async def test_order_groups_and_smoothing_are_those_of_the_last_time(machine: Path) -> None:
    run = ended_run(machine / "outputs", "best-1")
    async with VlmftConsole().run_test(size=(120, 40)) as pilot:
        await until_shown(pilot, "best-1")
        await pilot.press("s", "s", "b", "enter")
        await until_shown(pilot, "20/20")
        await pilot.press("s")
    kept = kept_settings()
    assert (kept.sort, kept.group, kept.smoothing) == ("eval", True, 0.1)
    async with VlmftConsole().run_test(size=(120, 40)) as pilot:
        await until_shown(pilot, "by eval, grouped")
    state = RunState()
    async with VlmftConsole(run.path).run_test(size=(120, 40)) as pilot:
        await until_shown(pilot, "20/20")
        state.apply_all([step(n) for n in range(1, 21)])
        smooth(state, 0.1)
        await until_shown(pilot, f"EMA({state.smooth_loss.weight:g})")


def test_how_pictures_are_drawn_is_a_setting(machine: Path) -> None:
    assert kept_settings().pictures == "auto"
    settings_file().parent.mkdir(parents=True, exist_ok=True)
    settings_file().write_text("pictures: blocks  # the same everywhere\n")
    assert kept_settings().pictures == "blocks"


async def test_settings_are_a_persons_and_not_a_folders(machine: Path) -> None:
    (machine / "presets").mkdir()
    async with VlmftConsole().run_test() as pilot:
        await pilot.press("ctrl+t")
    assert settings_file().is_relative_to(machine / "config")
    assert not (machine / "console.yaml").exists()
    assert kept_settings().theme == "light"
