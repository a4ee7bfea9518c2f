"""What a changed screen sends: the same picture as Textual's own, with fewer bytes."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import pyte
import pytest
from rich.color import ColorSystem
from rich.console import Console
from rich.segment import Segment
from textual._compositor import ChopsUpdate, LayoutUpdate
from textual.app import App
from textual.strip import Strip

from tests.app.alone import RUNNING, Alone, sample_state
from tests.in_terminal import terminal
from vlmft_console.app import frame
from vlmft_console.app.frame import PLAIN, Frame
from vlmft_console.app.widgets.run.run_view import RunView

WIDTH, HEIGHT = 100, 30
OTHER_SHAPE = """
from textual import _compositor
Known = _compositor.ChopsUpdate
class Other(Known):
    def __init__(self, chops, spans, chop_ends):
        super().__init__(None, spans, chop_ends)
        self.pieces = chops
    def render_segments(self, console):
        return Known(self.pieces, self.spans, self.chop_ends).render_segments(console)
_compositor.ChopsUpdate = Other
"""
"""A Textual whose updates call a part by another name."""
NO_UPDATES = "import sys; sys.modules['vlmft_console.app.frame'] = None"
"""A Textual without what our frame imports."""


@pytest.fixture
def updates(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """Every update of the screen so far."""
    seen: list[Any] = []
    display = App._display

    def spy(self: App[None], screen: Any, renderable: Any) -> None:
        if isinstance(renderable, LayoutUpdate | ChopsUpdate):
            seen.append(renderable)
        display(self, screen, renderable)

    monkeypatch.setattr(App, "_display", spy)
    return seen


def shown(sent: list[str]) -> list[list[Any]]:
    """Characters and styles that a terminal shows after it got these."""
    screen = pyte.Screen(WIDTH, HEIGHT)
    stream = pyte.Stream(screen)
    for text in sent:
        stream.feed(text)
    return [[screen.buffer[y][x] for x in range(WIDTH)] for y in range(HEIGHT)]


async def test_without_unicode_every_sign_of_ours_has_one_that_is_as_wide(updates: list[Any]) -> None:
    view = RunView()
    async with Alone(view).run_test(size=(WIDTH, HEIGHT)) as pilot:
        view.show(sample_state(), RUNNING)
        await pilot.press("5")
        await pilot.pause()
    console = Console(color_system="truecolor", force_terminal=True)
    whole = [Frame(update).render_segments(console) for update in updates]
    plain = [Frame(update, plain=True).render_segments(console) for update in updates]
    assert "■ STOP" in "".join(whole)
    assert "# STOP" in "".join(plain)
    for unlike, same in zip(shown(plain), shown(whole), strict=True):
        assert [cell.data for cell in unlike] == [cell.data.translate(PLAIN) for cell in same]


async def test_the_terminal_shows_the_same_and_gets_less(updates: list[Any]) -> None:
    view = RunView()
    async with Alone(view).run_test(size=(WIDTH, HEIGHT)) as pilot:
        for steps in (1000, 1010, 1500):
            view.show(sample_state(steps=steps), RUNNING)
            await pilot.pause()
        await pilot.press("tab", "tab", "5", "f")
        await pilot.pause()
    console = Console(color_system="truecolor", force_terminal=True)
    assert console._color_system is ColorSystem.TRUECOLOR
    own = [Frame(update).render_segments(console) for update in updates]
    textual = [update.render_segments(console) for update in updates]
    assert shown(own) == shown(textual)
    assert sum(map(len, own)) < 0.75 * sum(map(len, textual))


def test_an_update_of_an_unknown_shape_is_sent_as_textual_does_and_still_without_unicode(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(frame, "ChopsUpdate", None)  # it cannot be made as ours would
    monkeypatch.setattr(frame, "shape_is_known", frame.shape_is_known.__wrapped__)
    console = Console(color_system="truecolor", force_terminal=True)
    update = ChopsUpdate([{0: Strip([Segment("■ STOP")])}], [(0, 0, 6)], [[6]])
    assert not frame.shape_is_known()
    assert Frame(update).render_segments(console) == "\x1b[1;1H■ STOP"
    assert Frame(update, plain=True).render_segments(console) == "\x1b[1;1H# STOP"


@pytest.mark.parametrize(
    ("textual", "locale"), [(OTHER_SHAPE, "C"), (NO_UPDATES, "C.UTF-8")], ids=["other-shape", "no-updates"]
)
def test_the_console_works_with_a_textual_whose_updates_are_not_known(
    tmp_path: Path, textual: str, locale: str
) -> None:
    code = f"{textual}\nfrom vlmft_console.app.start import main\nmain()"
    with terminal(tmp_path, program=(sys.executable, "-c", code), env={"LC_ALL": locale}, size=(100, 30)) as console:
        console.wait_until_shown("finished")  # the recorded runs are listed
        assert console.shown().isascii() == (locale == "C")
        console.press(b"?")
        console.wait_until_shown("Compare the marked runs")
        console.press(b"q")
        console.wait_until_shown("filter")
        console.press(b"q")
        console.wait_until_given_back()
        assert console.status() == 0
        assert b"Traceback" not in console.written
