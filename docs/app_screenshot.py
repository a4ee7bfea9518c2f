"""Save a screen of the console as SVG, for the README.

python docs/app_screenshot.py OUT.svg WIDTHxHEIGHT WAIT_FOR TARGET [KEY ...]

The console opens TARGET (`-` for its list of runs), the keys are pressed, and the screen is saved once it shows
WAIT_FOR.
"""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path

from vlmft_console.app import VlmftConsole


async def save(out: Path, size: tuple[int, int], awaited: str, target: Path | None, keys: list[str]) -> None:
    app = VlmftConsole(target)
    async with app.run_test(size=size) as pilot:
        for key in [*keys, None]:
            await pilot.pause(1.0)
            if key is not None:
                await pilot.press(key)
        while awaited not in "\n".join(strip.text for strip in app.screen._compositor.render_strips()):
            await pilot.pause(0.2)
        out.write_text(app.export_screenshot(title="vlmft-console"))


def main() -> None:
    out, size, awaited, target, *keys = sys.argv[1:]
    columns, rows = map(int, size.split("x"))
    asyncio.run(save(Path(out), (columns, rows), awaited, None if target == "-" else Path(target), keys))


if __name__ == "__main__":
    main()
