"""Pictures on standard output: as good as the terminal can, and none where nobody sees them."""

from __future__ import annotations

import io
import re
from base64 import b64decode
from typing import Any

import pytest
from PIL import Image
from rich.console import Console

from tests.kept_answers import picture
from vlmft_console.commands import terminal_picture
from vlmft_console.commands.terminal_picture import drawn_pixels, draws, half_blocks, has_kitty, print_picture
from vlmft_console.pictures.kitty import drawn
from vlmft_core.run_folder.picture import Picture

IMAGE = {"size": [1, 3], "pixels": "ff000000ff000000ff"}


@pytest.fixture
def terminal(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    """Standard output is a terminal with colours."""
    for name in ("TMUX", "STY", "TERM_PROGRAM"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("TERM", "xterm-256color")

    def console(**options: Any) -> Console:
        return Console(force_terminal=True, color_system="truecolor", width=80, **options)

    monkeypatch.setattr(terminal_picture, "Console", console)
    monkeypatch.setattr(terminal_picture, "draws", lambda console: True)
    return monkeypatch


def test_a_character_is_two_pixels() -> None:
    screen = Console(file=io.StringIO(), force_terminal=True, color_system="truecolor", width=40)
    screen.print(half_blocks(Picture.of(1, 3, bytes.fromhex(str(IMAGE["pixels"])))))
    drawn = screen.file.getvalue()  # type: ignore[attr-defined]
    assert "38;2;255;0;0;48;2;0;255;0m▀" in drawn
    assert "38;2;0;0;255m▀" in drawn


def test_where_nobody_sees_it_nothing_is_drawn(capsys: pytest.CaptureFixture[str]) -> None:
    assert not draws(Console(file=io.StringIO()))
    assert not draws(Console(file=io.StringIO(), force_terminal=True, no_color=True))
    print_picture(IMAGE)
    assert capsys.readouterr().out == ""
    assert drawn_pixels() == (0, 0)


def test_a_terminal_with_colours_gets_half_blocks(
    terminal: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert drawn_pixels() == (64, 32)
    print_picture(IMAGE)
    print_picture(None)
    assert capsys.readouterr().out.count("▀") == 2


@pytest.mark.parametrize(
    ("variables", "can"),
    [
        ({"TERM": "xterm-kitty"}, True),
        ({"TERM_PROGRAM": "WezTerm"}, True),
        ({"TERM": "xterm-ghostty"}, True),
        ({"TERM": "xterm-kitty", "TMUX": "/tmp/tmux-0/default,1,0"}, False),
        ({"TERM": "xterm-kitty", "STY": "1.pts"}, False),
        ({}, False),
    ],
)
def test_a_terminal_that_draws_pictures_is_told_by_its_name(
    terminal: pytest.MonkeyPatch, variables: dict[str, str], can: bool
) -> None:
    for name, value in variables.items():
        terminal.setenv(name, value)
    assert has_kitty() is can


@pytest.mark.parametrize("size", [(24, 18), (320, 160), (384, 288)])
def test_kitty_gets_the_whole_picture_in_parts_that_it_takes(size: tuple[int, int]) -> None:
    shown = picture(*size)
    noisy = Picture.of(shown.width, shown.height, bytes(n * 37 % 251 for n in range(len(shown.pixels()))))
    sent = drawn(noisy, -(-size[0] // 5))
    parts = re.findall(r"\x1b_G([^;]*);([^\x1b]*)\x1b\\", sent)
    assert sent == "".join(f"\x1b_G{keys};{data}\x1b\\" for keys, data in parts) + "\n"
    assert all(len(data) <= 4096 for _, data in parts)
    assert [keys.rpartition("m=")[2] for keys, _ in parts] == ["1"] * (len(parts) - 1) + ["0"]
    assert parts[0][0].startswith(f"a=T,f=100,q=2,c={-(-size[0] // 5)},")
    image = Image.open(io.BytesIO(b64decode("".join(data for _, data in parts))))
    assert (image.size, image.convert("RGB").tobytes()) == (size, noisy.pixels())


def test_a_picture_of_a_terminal_that_draws_them_is_finer_and_sent_as_one(
    terminal: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    terminal.setenv("TERM", "xterm-kitty")
    assert drawn_pixels() == (320, 160)
    print_picture(IMAGE)
    out = capsys.readouterr().out
    assert out.startswith("\x1b_Ga=T")
    assert "▀" not in out
