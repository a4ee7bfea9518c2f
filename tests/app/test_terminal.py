"""Signs outside the screen, and when there can be no screen."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from textual.app import SuspendNotSupported

from tests.app.looking import until
from tests.sample_run import make_sample
from vlmft_console.app import terminal
from vlmft_console.app.app import VlmftConsole
from vlmft_console.app.messages import Alert
from vlmft_console.app.terminal import NOTIFY_STYLES, RESET, notification

HOSTILE = "x\x1b]0;title\x07;[/b]\n\x9d\u202e"


def test_a_notification_is_one_sequence_whatever_the_name_of_the_run() -> None:
    assert notification("bell", "best", "finished") == "\a"
    assert notification("osc9", "best", "finished") == "\x1b]9;best: finished\x1b\\"
    assert notification("osc777", "best", "a;b") == "\x1b]777;notify;best;a,b\x1b\\"
    assert notification("none", "best", "finished") == ""
    for style in NOTIFY_STYLES:
        text = notification(style, HOSTILE, HOSTILE * 100)
        assert not re.search(
            "[\x00-\x1f\x7f-\x9f\u202e]", text.removeprefix("\x1b]").removesuffix("\x1b\\").strip("\a")
        )
        assert len(text) < 500


async def test_a_notification_goes_past_the_screen_in_the_style_chosen(monkeypatch: pytest.MonkeyPatch) -> None:
    written: list[str] = []
    monkeypatch.setattr(VlmftConsole, "write_escape", lambda app, text: written.append(text))
    app = VlmftConsole(notify="osc9")
    async with app.run_test():
        app.post_message(Alert("best-1", "stop: eval loss rises"))
    assert [text for text in written if text.startswith("\x1b]9")] == ["\x1b]9;best-1: stop: eval loss rises\x1b\\"]


async def test_without_a_terminal_nothing_is_written(capfd: pytest.CaptureFixture[str]) -> None:
    app = VlmftConsole()
    app.write_escape("\a")  # before it runs
    async with app.run_test():
        app.post_message(Alert("best-1", "finished"))
    assert "\a" not in "".join(capfd.readouterr())


def test_no_terminal_is_refused_with_the_command_to_use_instead() -> None:
    assert "`vlmft runs`" in terminal.refusal({"TERM": "xterm"})  # a test has no terminal


def test_the_reset_undoes_what_textual_switches_on() -> None:
    for mode in ("1049", "25", "1000", "1003", "1004", "1006", "1015", "1016", "2004", "2048"):
        assert f"\x1b[?{mode}{'h' if mode == '25' else 'l'}" in RESET


def test_a_browser_is_accepted_as_the_screen() -> None:
    assert terminal.refusal({"TEXTUAL_DRIVER": "textual.drivers.web_driver:WebDriver"}) == ""


async def test_the_window_is_named_after_the_run_that_is_open(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    written: list[str] = []
    monkeypatch.setattr(VlmftConsole, "write_escape", lambda app, text: written.append(text))
    app = VlmftConsole(make_sample(tmp_path).path)
    async with app.run_test() as pilot:
        await until(pilot, lambda: "\x1b]2;vlmft best-sample\x1b\\" in written)
        await pilot.press("q")
        await until(pilot, lambda: written[-1] == "\x1b]2;vlmft\x1b\\")


def test_the_name_of_a_run_cannot_steer_the_terminal_through_the_title() -> None:
    inside = terminal.window_title(HOSTILE).removeprefix("\x1b]2;").removesuffix("\x1b\\")
    assert not re.search("[\x00-\x1f\x7f-\x9f\u202e]", inside)


async def test_a_terminal_that_cannot_be_lent_leaves_the_keys_that_end_it_with_the_app() -> None:
    app = VlmftConsole()
    async with app.run_test():
        with pytest.raises(SuspendNotSupported), app.suspend():
            pass
        assert not app.in_other_program
