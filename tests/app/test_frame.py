"""What a changed screen sends: the same picture as Textual's own, with fewer bytes."""

from __future__ import annotations

from typing import Any

import pyte
import pytest
from rich.color import ColorSystem
from rich.console import Console
from textual._compositor import ChopsUpdate, LayoutUpdate
from textual.app import App

from tests.app.alone import RUNNING, Alone, sample_state
from vlmft_console.app.frame import PLAIN, frame
from vlmft_console.app.widgets.run.run_view import RunView

WIDTH, HEIGHT = 100, 30


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


def picture(sent: list[str]) -> list[list[Any]]:
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
    whole = [frame(update).render_segments(console) for update in updates]
    plain = [frame(update, plain=True).render_segments(console) for update in updates]
    assert "■ STOP" in "".join(whole)
    assert "# STOP" in "".join(plain)
    for unlike, same in zip(picture(plain), picture(whole), strict=True):
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
    own = [frame(update).render_segments(console) for update in updates]
    textual = [update.render_segments(console) for update in updates]
    assert picture(own) == picture(textual)
    assert sum(map(len, own)) < 0.75 * sum(map(len, textual))
