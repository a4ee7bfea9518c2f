"""A page in headless Chromium, by its debugging protocol: what a server sends it, keys, mouse, and pictures of it."""

from __future__ import annotations

import asyncio
import base64
import json
import re
import shutil
import subprocess
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from itertools import count
from pathlib import Path
from typing import Any

import pyte
import pytest

aiohttp = pytest.importorskip("aiohttp", reason="needs textual-serve (pip install textual-serve)")


class Page:
    """A page that shows a terminal, which is read from what its websocket brings."""

    def __init__(self, socket: Any) -> None:
        self._socket = socket
        self._numbers = count(1)
        self._answers: dict[int, asyncio.Future[dict[str, Any]]] = {}
        self._listener = asyncio.create_task(self._listen())
        self._screen = pyte.Screen(80, 24)
        self._stream = pyte.ByteStream(self._screen)

    async def call(self, method: str, **parameters: object) -> dict[str, Any]:
        """One command of the protocol, and its result."""
        number = next(self._numbers)
        answer = self._answers[number] = asyncio.get_running_loop().create_future()
        await self._socket.send_json({"id": number, "method": method, "params": parameters})
        return await asyncio.wait_for(answer, 120)

    async def evaluate(self, expression: str) -> Any:
        """The value of a JavaScript expression, which JSON can hold."""
        return (await self.call("Runtime.evaluate", expression=expression, returnByValue=True))["result"].get("value")

    async def open(self, url: str) -> None:
        await self.call("Page.navigate", url=url)

    async def wait_until_loaded(self, seconds: float = 120.0) -> None:
        """Until a page that needs nothing from elsewhere is there, laid out."""
        deadline = time.monotonic() + seconds
        while await self.evaluate("location.href != 'about:blank' && document.readyState") != "complete":
            assert time.monotonic() < deadline
            await asyncio.sleep(0.05)

    def shown(self) -> str:
        """What stands on the terminal in the page, as lines."""
        cells, columns = self._screen.buffer, range(self._screen.columns)
        return "\n".join("".join(cells[y][x].data for x in columns).rstrip() for y in range(self._screen.lines))

    async def wait_until_shown(self, text: str, seconds: float = 120.0) -> None:
        deadline = time.monotonic() + seconds
        while text not in self.shown():
            assert time.monotonic() < deadline, self.shown()
            await asyncio.sleep(0.05)

    async def press(self, key: str, text: str = "", code: int = 0) -> None:
        """Press and release a key; `code` is that of Windows' virtual keys, where the key writes no text."""
        told = {"key": key, "windowsVirtualKeyCode": code or ord(key.upper()), **({"text": text} if text else {})}
        await self.call("Input.dispatchKeyEvent", type="keyDown", **told)
        await self.call("Input.dispatchKeyEvent", type="keyUp", **told)

    async def click(self, text: str) -> None:
        """Click in the middle of a text that stands on the terminal."""
        [(y, x)] = [(y, line.index(text)) for y, line in enumerate(self.shown().splitlines()) if text in line][:1]
        box = json.loads(
            await self.evaluate("JSON.stringify(document.querySelector('.xterm-screen').getBoundingClientRect())")
        )
        place = {
            "x": box["x"] + box["width"] * (x + len(text) / 2) / self._screen.columns,
            "y": box["y"] + box["height"] * (y + 0.5) / self._screen.lines,
        }
        await self.call("Input.dispatchMouseEvent", type="mouseMoved", **place)
        for type_ in ("mousePressed", "mouseReleased"):
            await self.call("Input.dispatchMouseEvent", type=type_, button="left", clickCount=1, **place)

    async def resize(self, width: int, height: int) -> None:
        """Make the window another size, in pixels."""
        size = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": False}
        await self.call("Emulation.setDeviceMetricsOverride", **size)

    async def picture(self) -> bytes:
        """The page as PNG."""
        return base64.b64decode((await self.call("Page.captureScreenshot"))["data"])

    async def close(self) -> None:
        await self.call("Page.close")

    async def _listen(self) -> None:
        async for message in self._socket:
            said = message.json()
            if "id" in said:
                answer = self._answers.pop(said["id"])
                if "error" in said:
                    answer.set_exception(RuntimeError(said["error"]["message"]))
                else:
                    answer.set_result(said["result"])
            elif said["method"] == "Network.webSocketFrameReceived":
                self._received(said["params"]["response"])
            elif said["method"] == "Network.webSocketFrameSent":
                self._sent(said["params"]["response"]["payloadData"])

    def _received(self, frame: dict[str, Any]) -> None:
        if frame["opcode"] == 2:
            # Without what pyte prints instead of understanding it.
            self._stream.feed(re.sub(rb"\x1b\[[<>=?][0-9;]*(?:u|\$p)", b"", base64.b64decode(frame["payloadData"])))

    def _sent(self, text: str) -> None:
        if text.startswith('["resize"'):
            self._screen.resize(json.loads(text)[1]["height"], json.loads(text)[1]["width"])


@asynccontextmanager
async def browser(profile: Path) -> AsyncIterator[Page]:
    """An empty page; the test is skipped where there is no Chromium. It reaches this machine alone.

    Args:
        profile: a folder for the browser to keep its own things in.
    """
    chromium = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
    if chromium is None:
        pytest.skip("needs chromium (apt install chromium)")
    started = subprocess.Popen(
        [
            chromium,
            "--headless=new",
            "--no-sandbox",  # as root there is none
            "--disable-gpu",
            "--remote-debugging-port=0",
            f"--user-data-dir={profile}",
            "--window-size=1200,800",
            "--host-resolver-rules=MAP * ~NOTFOUND , EXCLUDE localhost",
            "about:blank",
        ],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        told, deadline = profile / "DevToolsActivePort", time.monotonic() + 120
        while not (told.exists() and "\n" in told.read_text()):
            assert started.poll() is None
            assert time.monotonic() < deadline
            await asyncio.sleep(0.05)
        async with aiohttp.ClientSession(f"http://127.0.0.1:{told.read_text().split()[0]}") as session:
            pages = await (await session.get("/json/list")).json()
            [address] = [page["webSocketDebuggerUrl"] for page in pages if page["type"] == "page"]
            async with session.ws_connect(address, max_msg_size=0) as socket:
                page = Page(socket)
                await page.call("Network.enable")
                await page.call("Page.enable")
                yield page
    finally:
        started.terminate()
        started.wait(120)
