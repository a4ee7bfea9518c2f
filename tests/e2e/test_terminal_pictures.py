"""Pictures in a terminal of one's own: sent by kitty's protocol where its name says that it draws them, in half blocks
in any other one, in tmux, and in the console, which leaves nothing of them behind."""

from __future__ import annotations

import re
import sys
from pathlib import Path

import pytest

from tests.in_terminal import terminal
from tests.kept_answers import three_evals
from tests.run_folders import ended_run

VLMFT = str(Path(sys.executable).with_name("vlmft"))
SENT = re.compile(rb"\x1b_G[^;]*;[A-Za-z0-9+/=]+\x1b\\")
HALF_BLOCK = "▀".encode()
KITTY = {"TERM": "xterm-kitty", "COLORTERM": "truecolor"}


@pytest.fixture(autouse=True)
def plain(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is known of the terminal but what a test says."""
    for name in ("TMUX", "STY", "TERM_PROGRAM", "NO_COLOR"):
        monkeypatch.delenv(name, raising=False)


@pytest.mark.parametrize(
    ("environment", "kitty"),
    [
        (KITTY, True),
        (KITTY | {"TERM": "xterm-256color"}, False),
        (KITTY | {"TERM": "tmux-256color", "TERM_PROGRAM": "tmux", "TMUX": "/tmp/tmux-0/default,1,0"}, False),
        (KITTY | {"TMUX": "/tmp/tmux-0/default,1,0"}, False),
    ],
    ids=["kitty", "another terminal", "tmux", "tmux that passes on the name"],
)
def test_a_samples_picture_comes_as_the_terminal_can_draw_it(
    tmp_path: Path, environment: dict[str, str], kitty: bool
) -> None:
    show = ("data", "show", "demo", "--limit", "1")
    with terminal(tmp_path, *show, program=(VLMFT,), env=environment) as shell:
        while shell.read(1.0):
            pass
        assert b"vision_start" in shell.written
        assert bool(SENT.search(shell.written)) is kitty
        assert (HALF_BLOCK in shell.written) is not kitty


def test_in_the_console_a_picture_is_half_blocks_on_any_terminal_and_gone_with_its_screen(tmp_path: Path) -> None:
    run = ended_run(tmp_path / "outputs", "asked").path
    three_evals(run)
    with terminal(tmp_path, str(run), size=(120, 40), env=KITTY) as console:
        console.wait_until_shown("v answers")
        console.press(b"v")
        console.wait_until_shown("▀▀▀▀▀▀")
        console.press(b"q")
        console.wait_until_shown("v answers")  # at the bottom, so that all above is drawn
        assert "▀▀" not in console.shown()
        console.press(b"\x11")
        console.wait_until_given_back()
        assert console.status() == 0
        assert b"\x1b_G" not in console.written
