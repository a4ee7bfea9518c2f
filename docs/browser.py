"""Browser: the console as a page for whoever started this, on this machine alone. Needs `pip install textual-serve`.

    python docs/browser.py [PORT]

textual-serve asks nobody who they are, and any page that a browser has open may call it. Here a page is shown, and a
console started, only for the secret of the printed address, which the browser keeps as a cookie; and only the page
itself may call.
"""

from __future__ import annotations

import argparse
import secrets
import shlex
import sys
from http.cookies import SimpleCookie
from pathlib import Path
from typing import Any

from aiohttp import web
from textual_serve.server import Server


class Guarded(Server):
    """Shows the console to those who know the secret.

    Args:
        port: where, on the loopback interface.
    """

    def __init__(self, port: int) -> None:
        console = Path(sys.executable).with_name("vlmft-console")
        if not console.exists():
            sys.exit(f"{console} is missing: call this by the Python that vlmft is installed for")
        super().__init__(shlex.quote(str(console)), host="localhost", port=port, title="vlmft")
        self._secret = secrets.token_urlsafe(32)
        self._cookie = f"vlmft-{port}"

    async def on_startup(self, app: web.Application) -> None:
        print(f"{self.public_url}/?secret={self._secret}", flush=True)

    async def handle_index(self, request: web.Request) -> Any:
        if self._same(request.query.get("secret", "")):
            found = web.HTTPFound("/")
            found.set_cookie(self._cookie, self._secret, httponly=True, samesite="Strict")
            raise found
        self._require_cookie(request)
        return await super().handle_index(request)

    async def handle_websocket(self, request: web.Request) -> Any:
        self._require_cookie(request)
        if request.headers.get("Origin") != self.public_url:
            raise web.HTTPForbidden(text="called by another page\n")
        return await super().handle_websocket(request)

    def _require_cookie(self, request: web.Request) -> None:
        cookie = SimpleCookie(request.headers.get("Cookie", "")).get(self._cookie)
        if cookie is None or not self._same(cookie.value):
            raise web.HTTPForbidden(text="open the address that was printed\n")

    def _same(self, told: str) -> bool:
        return secrets.compare_digest(told.encode(), self._secret.encode())


def main() -> None:
    parser = argparse.ArgumentParser(description="Show vlmft-console in a browser, on this machine alone.")
    parser.add_argument("port", nargs="?", type=int, default=8000, help="1024 to 65535 [default: 8000]")
    port = parser.parse_args().port
    if not 1024 <= port <= 65535:
        parser.error(f"{port} is no port from 1024 to 65535")
    try:
        Guarded(port).serve()
    except OSError as error:  # such as a port that somebody has
        sys.exit(str(error))


if __name__ == "__main__":
    main()
