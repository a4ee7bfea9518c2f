"""Pictures in a terminal of one's own: sent by kitty's protocol where its name says that it draws them, to the console
where it says so itself, too; in half blocks in any other one, and in tmux."""

from __future__ import annotations

import re
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from tests.hostile import MARK, foreign_controls
from tests.in_kitty import ASKED, KITTY, Seen, Told, kitty, named, seen
from tests.in_terminal import Terminal, terminal
from tests.kept_answers import keep, picture, question
from tests.run_folders import ended_run

VLMFT = str(Path(sys.executable).with_name("vlmft"))
SENT = re.compile(rb"\x1b_G[^;]*;[A-Za-z0-9+/=]+\x1b\\")
HALF_BLOCK = "▀".encode()


@pytest.fixture(autouse=True)
def plain(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is known of the terminal but what a test says."""
    for name in ("TMUX", "STY", "TERM_PROGRAM", "KITTY_WINDOW_ID", "NO_COLOR"):
        monkeypatch.delenv(name, raising=False)


@pytest.mark.parametrize(
    ("environment", "sent"),
    [
        (KITTY, True),
        (KITTY | {"TERM": "xterm-256color"}, False),
        (KITTY | {"TERM": "tmux-256color", "TERM_PROGRAM": "tmux", "TMUX": "/tmp/tmux-0/default,1,0"}, False),
        (KITTY | {"TMUX": "/tmp/tmux-0/default,1,0"}, False),
    ],
    ids=["kitty", "another terminal", "tmux", "tmux that passes on the name"],
)
def test_a_samples_picture_comes_as_the_terminal_can_draw_it(
    tmp_path: Path, environment: dict[str, str], sent: bool
) -> None:
    show = ("data", "show", "demo", "--limit", "1")
    with terminal(tmp_path, *show, program=(VLMFT,), env=environment) as shell:
        while shell.read(1.0):
            pass
        assert b"vision_start" in shell.written
        assert bool(SENT.search(shell.written)) is sent
        assert (HALF_BLOCK in shell.written) is not sent


@pytest.fixture
def run(tmp_path: Path) -> Path:
    """A run that answered eight questions, each about a picture of its own."""
    path = ended_run(tmp_path / "outputs", "asked").path
    questions = [replace(question(number), picture=picture(384 - number, 288)) for number in range(8)]
    keep(path, questions, {0: ["no"] * 8, 10: ["1"] * 8})
    return path


@pytest.mark.parametrize("size", [(40, 12), (80, 24), (120, 40)])
def test_in_the_console_of_kitty_a_picture_is_true_sent_once_and_gone_with_its_screen(
    tmp_path: Path, run: Path, size: tuple[int, int]
) -> None:
    with kitty(tmp_path, str(run), size=size) as console:
        first = opened(console)
        assert first.columns <= size[0] // 2
        assert console.shown().splitlines()[first.top - 1] == "─" * size[0]
        assert first.left == 0
        told = Told(console.written)
        assert told.sizes == {first.number: (first.columns, first.rows)}
        shown = picture(384, 288)
        assert told.kept[first.number].size == (shown.width, shown.height)
        assert told.kept[first.number].convert("RGB").tobytes() == shown.pixels()
        console.press(b"j")
        second = other(console, first)
        console.press(b"k")
        assert other(console, second) == first
        assert Told(console.written).sent == [first.number, second.number]
        console.press(b"q")
        while "\U0010eeee" in console.shown() or Told(console.written).kept:
            assert console.read(0.1)
        leave(console)
    assert foreign_controls(console.written, kitty=True) == []


def test_at_most_six_pictures_are_kept_and_what_is_kept_is_taken_back_before_the_console_gives_the_screen_back(
    tmp_path: Path, run: Path
) -> None:
    with kitty(tmp_path, str(run)) as console:
        now = opened(console)
        for _ in range(7):
            console.press(b"j")
            now = other(console, now)
        told = Told(console.written)
        assert len(told.sent) == 8
        assert len(told.kept) == 6
        assert told.kept[now.number].size == (377, 288)
        leave(console)
        before, left, after = console.written.partition(b"\x1b[?1049l")
        assert left
        assert Told(before).kept == {}
        assert b"\x1b_G" not in after


def test_a_picture_is_fitted_anew_when_the_terminal_is_resized_and_not_sent_again(tmp_path: Path, run: Path) -> None:
    with kitty(tmp_path, str(run), size=(120, 40)) as console:
        large = opened(console)
        console.resize(80, 24)
        while (small := opened_again(console)).columns >= large.columns:
            assert console.read(0.1)
        assert small.number == large.number
        told = Told(console.written)
        assert told.sent == [large.number]
        assert told.sizes == {small.number: (small.columns, small.rows)}


def test_below_a_dialog_a_picture_is_dimmed_in_half_blocks_and_true_again_above_it(tmp_path: Path, run: Path) -> None:
    with kitty(tmp_path, str(run), size=(120, 40)) as console:
        shown = opened(console)
        console.press(b"?")
        while "\U0010eeee" in console.shown() or "▀▀▀▀" not in console.shown():
            assert console.read(0.1)
        console.press(b"\x1b")
        assert opened_again(console) == shown
        assert Told(console.written).sent == [shown.number]


def test_in_256_colours_a_picture_has_the_number_of_the_one_that_its_placeholders_come_in(
    tmp_path: Path, run: Path
) -> None:
    with kitty(tmp_path, str(run), env=KITTY | {"COLORTERM": ""}) as console:
        console.wait_until_shown("finished")
        console.press(b"v")
        console.wait_until_shown("\U0010eeee")
        (number,) = Told(console.written).kept
        assert number < 256
        styles = re.findall(r"\x1b\[([0-9;]*)m\U0010eeee", console.written.decode())
        assert all(f"38;5;{number}" in style for style in styles)
        assert styles


def test_an_answer_that_speaks_the_protocol_itself_is_text(tmp_path: Path) -> None:
    path = ended_run(tmp_path / "outputs", "asked").path
    evil = f"{MARK}\x1b_Ga=d,d=A\x1b\\\x1b_Ga=T,t=f;L2V0Yy9wYXNzd2Q=\x1b\\\x1b[>q\x1b[c\U0010eeee\u0305\u0305"
    keep(path, [question(1, text=evil, truth=[evil])], {0: [evil], 10: [evil]})
    with kitty(tmp_path, str(path), size=(120, 40)) as console:
        opened(console)
        console.wait_until_shown(f"{MARK}\\x1b_Ga=d")
        leave(console)
    assert foreign_controls(console.written, kitty=True) == []
    assert console.written.count(ASKED) == 1
    assert len(Told(console.written).sent) == 1


def test_keys_typed_while_the_terminal_is_asked_are_for_the_console(tmp_path: Path, run: Path) -> None:
    name, answer = named("ghostty 1.2.0").popitem()
    with kitty(tmp_path, str(run), answers={name: b"v" + answer + b"j"}) as console:
        console.wait_until_shown("\U0010eeee")
        while len(Told(console.written).sent) < 2:
            assert console.read(0.1)


@pytest.mark.parametrize(
    ("environment", "answers", "asked"),
    [
        (KITTY, named("kitty(0.26.5)"), True),
        (KITTY | {"TERM": "xterm", "KITTY_WINDOW_ID": "1"}, named("XTerm(379)"), True),
        (KITTY, {ASKED: b"\x1b[?62;c"}, True),
        (KITTY, {}, True),
        (KITTY | {"TMUX": "/tmp/tmux-0/default,1,0"}, named("kitty(0.41.1)"), False),
        (KITTY | {"STY": "1.pts"}, named("kitty(0.41.1)"), False),
        (KITTY | {"TERM": "xterm-256color"}, named("kitty(0.41.1)"), False),
    ],
    ids=["older", "another", "nameless", "silent", "tmux", "screen", "of no such name"],
)
def test_in_the_console_of_another_terminal_a_picture_is_half_blocks(
    tmp_path: Path, run: Path, environment: dict[str, str], answers: dict[bytes, bytes], asked: bool
) -> None:
    with terminal(tmp_path, str(run), size=(120, 40), env=environment, answers=answers) as console:
        console.wait_until_shown("finished")
        console.press(b"v")
        console.wait_until_shown("▀▀▀▀▀▀")
        console.press(b"q")
        while "▀▀" in console.shown():
            assert console.read(0.1)
        leave(console)
    assert (ASKED in console.written) is asked
    assert foreign_controls(console.written.replace(b"\x1b[>q\x1b[c", b"", 1)) == []
    assert "\U0010eeee" not in console.written.decode()


@pytest.mark.parametrize(
    ("wanted", "environment", "sign"),
    [
        ("blocks", KITTY, "▀▀▀▀"),
        ("none", KITTY, "not drawn: console.yaml has pictures: none"),
        ("kitty", {"TERM": "xterm-256color", "COLORTERM": "truecolor"}, "\U0010eeee"),
        ("kitty", KITTY | {"TMUX": "/tmp/tmux-0/default,1,0"}, "▀▀▀▀"),
        ("kitty", KITTY | {"NO_COLOR": "1"}, "not drawn: that takes 256 colours"),
        ("kitty", KITTY | {"LC_ALL": "POSIX"}, "not drawn: the locale is not UTF-8"),
    ],
    ids=["blocks", "none", "kitty", "kitty in tmux", "kitty without colours", "kitty without UTF-8"],
)
def test_the_settings_say_how_pictures_are_drawn_and_nothing_is_asked(
    tmp_path: Path, run: Path, wanted: str, environment: dict[str, str], sign: str
) -> None:
    (tmp_path / "config" / "vlmft").mkdir(parents=True)
    (tmp_path / "config" / "vlmft" / "console.yaml").write_text(f"pictures: {wanted}\n")
    with terminal(tmp_path, str(run), size=(120, 40), env=environment) as console:
        console.wait_until_shown("finished")
        console.press(b"v")
        console.wait_until_shown(sign)
        leave(console)
    assert ASKED not in console.written
    assert bool(Told(console.written).sent) is (sign == "\U0010eeee")


def opened(console: Terminal) -> Seen:
    """Open the answers; the picture that is shown."""
    console.wait_until_shown("finished")
    console.press(b"v")
    return opened_again(console)


def opened_again(console: Terminal) -> Seen:
    """The picture, once one is shown whole."""
    while len(pictures := seen(console)) != 1:
        assert console.read(0.1)
    return pictures[0]


def other(console: Terminal, before: Seen) -> Seen:
    """The picture, once another one is shown, or the same in another place."""
    while (now := opened_again(console)) == before:
        assert console.read(0.1)
    return now


def leave(console: Terminal) -> None:
    console.press(b"\x11")
    console.wait_until_given_back()
    assert console.status() == 0, console.written[-2000:]
