"""Save a screen of the console as SVG, for the README.

python docs/app_screenshot.py OUT.svg WIDTHxHEIGHT TARGET [KEY | wait:TEXT ...]

The console opens TARGET (`-` for its list of runs) and gets the keys; at each `wait:` it is given time until it shows
the text.
"""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path

from textual.app import App

from vlmft_console.app.app import VlmftConsole

_PATIENCE = 60.0


async def save(out: Path, size: tuple[int, int], target: Path | None, acts: list[str]) -> None:
    app = VlmftConsole(target)
    async with app.run_test(size=size) as pilot:
        for act in acts:
            if act.startswith("wait:"):
                while act.removeprefix("wait:") not in shown(app):
                    await pilot.pause(0.1)
            else:
                await pilot.press(act)
        await pilot.pause(1.0)
        out.write_text(app.export_screenshot(title="vlmft-console"))


def shown(app: App[None]) -> str:
    return "\n".join(strip.text for strip in app.screen._compositor.render_strips())


def main() -> None:
    out, size, target, *acts = sys.argv[1:]
    columns, rows = map(int, size.split("x"))
    where = None if target == "-" else Path(target)
    asyncio.run(asyncio.wait_for(save(Path(out), (columns, rows), where, acts), _PATIENCE))


if __name__ == "__main__":
    main()
