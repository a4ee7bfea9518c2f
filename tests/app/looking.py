"""Looking at a running app as a person does: what stands on the screen, and waiting until it does."""

from __future__ import annotations

import time
from collections.abc import Callable

from textual.app import App
from textual.pilot import Pilot

from vlmft_console.app.tell import Said


def screen_text(app: App[None]) -> str:
    """Everything that the active screen shows, as lines."""
    return "\n".join(strip.text.rstrip() for strip in app.screen._compositor.render_strips())


def told(app: App[None]) -> str:
    """All of the message of the last few seconds, of which the screen may show a part."""
    return "\n".join(said.whole for said in app._notifications if isinstance(said, Said))


async def until(pilot: Pilot[None], condition: Callable[[], object], seconds: float = 60.0) -> None:
    """Let the app work until the condition holds."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, f"waited in vain; the screen shows\n{screen_text(pilot.app)}"
        await pilot.pause(0.02)


async def until_shown(pilot: Pilot[None], text: str, seconds: float = 60.0) -> None:
    """Let the app work until `text` stands on the screen."""
    await until(pilot, lambda: text in screen_text(pilot.app), seconds)
