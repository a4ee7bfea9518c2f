"""Save a screen of the console as SVG, for the README.

python docs/app_screenshot.py OUT.svg WIDTHxHEIGHT TARGET[,TARGET ...] [KEY | wait:TEXT ...]

The console opens TARGET (`-` for its list of runs), several over each other, and gets the keys; at each `wait:` it is
given time until it shows the text. Text that lies below a panel's fold is not shown, and waited for in vain: the
program then says what is.
"""

from __future__ import annotations

import asyncio
import sys
import time
from pathlib import Path

from textual.app import App
from textual.pilot import Pilot

from vlmft_console.app.app import VlmftConsole

_PATIENCE = 60.0
"""Seconds that the console is given to show a text."""


async def save(out: Path, size: tuple[int, int], targets: list[Path], acts: list[str]) -> None:
    app = VlmftConsole(*targets)
    async with app.run_test(size=size) as pilot:
        for act in acts:
            if act.startswith("wait:"):
                await wait_for(act.removeprefix("wait:"), app, pilot)
            else:
                await pilot.press(act)
        await pilot.pause(1.0)
        out.write_text(app.export_screenshot(title="vlmft-console"))


async def wait_for(text: str, app: App[None], pilot: Pilot[None]) -> None:
    deadline = time.monotonic() + _PATIENCE
    while text not in shown(app):
        if time.monotonic() > deadline:
            sys.exit(f"{text!r} is not shown after {_PATIENCE:.0f} s; this is:\n{shown(app)}")
        await pilot.pause(0.1)


def shown(app: App[None]) -> str:
    return "\n".join(strip.text for strip in app.screen._compositor.render_strips())


def main() -> None:
    out, size, target, *acts = sys.argv[1:]
    columns, rows = map(int, size.split("x"))
    targets = [] if target == "-" else [Path(each) for each in target.split(",")]
    asyncio.run(save(Path(out), (columns, rows), targets, acts))


if __name__ == "__main__":
    main()
