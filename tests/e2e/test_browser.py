"""The console in a real browser, by the recipe of docs/browser.py: charts, keys, mouse, sizes, and who may see it."""

from __future__ import annotations

import asyncio
import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.sample_run import make_sample
from vlmft_console.runs.preflight import free_port

pytest.importorskip("textual_serve", reason="needs textual-serve (pip install textual-serve)")
import aiohttp  # comes with it

from tests.in_browser import browser

pytestmark = pytest.mark.apart

RECIPE = Path(__file__).parents[2] / "docs" / "browser.py"


class Served:
    """The recipe, running, where a run can be seen."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        make_sample(folder / "outputs")
        self.port = free_port()
        self.process = subprocess.Popen(
            [sys.executable, RECIPE, str(self.port)], cwd=folder, stdout=subprocess.PIPE, text=True
        )
        assert self.process.stdout is not None
        self.address = self.process.stdout.readline().strip()
        self.site = f"http://localhost:{self.port}"
        deadline = time.monotonic() + 120  # the address is told a moment before anybody listens there
        while True:
            try:
                socket.create_connection(("localhost", self.port)).close()
                break
            except ConnectionRefusedError:
                assert time.monotonic() < deadline
                time.sleep(0.05)

    def consoles(self) -> list[int]:
        """Process ids of what it has started that still lives."""
        return [
            int(pid) for pid in Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children").read_text().split()
        ]


@pytest.fixture
def served(tmp_path: Path) -> Iterator[Served]:
    made = Served(tmp_path)
    try:
        yield made
    finally:
        made.process.terminate()
        made.process.communicate(timeout=120)


async def test_charts_keys_mouse_and_sizes(served: Served) -> None:
    async with browser(served.folder / "profile") as page:
        await page.open(served.address)
        await page.wait_until_shown("Loss of best-sample")
        await page.click("best-sample")
        await page.press("Enter", "\r", 13)
        await page.wait_until_shown("EMA(")
        assert "secret" not in await page.evaluate("location.href")
        if kept := os.environ.get("VLMFT_PICTURES"):
            (Path(kept) / "browser.png").write_bytes(await page.picture())
        await page.resize(700, 420)
        await page.wait_until_shown("tab panels  r resume  ? help")
        await page.press("q", "q")
        await page.wait_until_shown("5 runs")
        await page.click("healthy")
        await page.wait_until_shown("/healthy")  # the folder of the run under the cursor
        await page.press("?", "?")
        await page.wait_until_shown("This screen")
        [console] = served.consoles()
        await page.close()
        deadline = time.monotonic() + 120
        while served.consoles():
            assert time.monotonic() < deadline, "the console lives on although its page was closed"
            await asyncio.sleep(0.05)
        assert not Path(f"/proc/{console}").exists()


async def test_nobody_without_the_secret_and_no_other_page_gets_a_console(served: Served) -> None:
    async with aiohttp.ClientSession() as stranger:
        for path in ("/", "/?secret=", "/?secret=guessed", "/ws"):
            assert (await stranger.get(f"{served.site}{path}")).status == 403
        with pytest.raises(aiohttp.WSServerHandshakeError, match="403"):
            await stranger.ws_connect(f"{served.site}/ws", headers={"Origin": served.site})
    async with aiohttp.ClientSession() as person:
        assert (await person.get(served.address)).status == 200
        for origin in ({}, {"Origin": "http://elsewhere.example"}, {"Origin": "null"}):
            with pytest.raises(aiohttp.WSServerHandshakeError, match="403"):
                await person.ws_connect(f"{served.site}/ws", headers=origin)
        assert served.consoles() == []
        async with person.ws_connect(f"{served.site}/ws", headers={"Origin": served.site}) as own:
            assert (await own.receive()).type == aiohttp.WSMsgType.BINARY
