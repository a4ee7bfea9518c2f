"""Scroll bars have a place of their own: no text lies under one, on any screen, however small."""

from __future__ import annotations

from pathlib import Path

import pytest
from textual.app import App
from textual.pilot import Pilot

from tests.app.looking import until, until_shown
from tests.run_folders import ended_run
from vlmft_console.app.app import VlmftConsole
from vlmft_console.app.widgets.base.line_view import LineView

SIZES = [(40, 12), (60, 15), (80, 24), (120, 40)]
LOGS = Path(__file__).parents[2] / "logs"


def bars(app: App[None]) -> list[LineView]:
    """What can be scrolled up and down on the screen."""
    return [view for view in app.screen.query(LineView) if view.is_on_screen and view.show_vertical_scrollbar]


def covered(app: App[None]) -> list[str]:
    """Lines with something under a scroll bar."""
    lines = [(view, view.render_line(y)) for view in bars(app) for y in range(view.size.height)]
    return [line.text for view, line in lines if line.crop(view.scrollable_content_region.width).text.strip()]


async def look(pilot: Pilot[None]) -> None:
    """Something can be scrolled, and nothing of it is covered, from its first line to its last."""
    await until(pilot, lambda: bars(pilot.app))
    for _ in range(2):
        await pilot.pause()
        assert not covered(pilot.app)
        for view in bars(pilot.app):
            view.scroll_end(animate=False)


@pytest.mark.parametrize("size", SIZES)
async def test_in_the_lists_of_runs_and_presets_and_in_the_form_of_one(machine: Path, size: tuple[int, int]) -> None:
    for number in range(40):
        ended_run(machine / "outputs", f"run-with-a-long-name-{number}", hours=30 + number)
    async with VlmftConsole().run_test(size=size) as pilot:
        await until_shown(pilot, "run-with" if size[0] > 60 else "run-")
        await look(pilot)
        await pilot.press("n", "t")
        await until_shown(pilot, "[quick]")
        if size[1] < 40:
            await look(pilot)
            await pilot.press("right", "right", "right", "right", "right")
            await look(pilot)
        await pilot.press("e")
        await until_shown(pilot, "nothing changed" if size[1] > 20 else "▾ about")
        await look(pilot)
        if size[0] < 120:
            for view in ("2", "3"):
                await pilot.press(view)
                await pilot.pause()
                assert not covered(pilot.app)


@pytest.mark.parametrize("size", SIZES)
async def test_in_the_panels_of_a_run_and_under_a_comparison(machine: Path, size: tuple[int, int]) -> None:
    async with VlmftConsole(LOGS / "diverging").run_test(size=size) as pilot:
        await until_shown(pilot, "step 60/60")
        for panel in ("5", "6"):
            await pilot.press(panel)
            await pilot.pause()
            assert not covered(pilot.app)
    targets = [ended_run(machine / "outputs", f"a-run-{number}", steps=40).path for number in range(4)]
    for number, target in enumerate(targets):
        (target / "preset.yaml").write_text(f"training: {{epochs: {number + 1}}}\n")
    async with VlmftConsole().run_test(size=size) as pilot:
        await until_shown(pilot, "a-run-3")
        await pilot.press(*["space"] * 4, "c")
        await until_shown(pilot, "steps")
        await pilot.pause()
        assert not covered(pilot.app)
