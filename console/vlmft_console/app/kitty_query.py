"""Kitty query: whether the terminal draws pictures where kitty's placeholders stand, asked before the app has it.

Only a terminal that the environment names is asked, for what another one answers late, or in parts, would be taken for
keys; and it has to answer with its name, for the environment may come from another terminal, and kitty before 0.28
knows no placeholders.
"""

from __future__ import annotations

import contextlib
import os
import re
import select
import termios
import time
import tty
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Final, Literal

from vlmft_console.app.terminal import KITTY_TERMS, in_browser

if TYPE_CHECKING:
    from vlmft_console.app.settings import Pictures

Drawn = Literal["kitty", "blocks", "none"]
"""How pictures are drawn: by the terminal itself, two pixels in each character, or not at all."""
ANSWER_SECONDS: Final = 2.0
"""How long to wait for an answer; a terminal here answers within milliseconds, one at the end of a slow line later."""
_ASK: Final = b"\x1b[>q\x1b[c"
"""Its name (XTVERSION), and then what every terminal answers (DA1): where no name comes before that, none will."""
_NAME: Final = re.compile(rb"\x1bP>\|([^\x1b]*)\x1b\\")
_LAST: Final = re.compile(rb"\x1b\[\?[0-9;]*c")
_KITTY: Final = re.compile(r"kitty\((\d+)\.(\d+)")
_PLACEHOLDERS_SINCE: Final = (0, 28)


def how_to_draw(wanted: Pictures, environ: Mapping[str, str]) -> tuple[Drawn, str]:
    """How pictures are drawn here, and what was typed while the terminal was asked.

    Args:
        wanted: as the settings have it; `kitty` needs no question, but in tmux, screen and a browser a terminal that
            draws pictures is out of reach all the same.
        environ: the environment.
    """
    if wanted in ("blocks", "none"):
        return wanted, ""
    if environ.get("TMUX") or environ.get("STY") or in_browser(environ):
        return "blocks", ""
    if wanted == "kitty":
        return "kitty", ""
    named = (
        environ.get("TERM") in KITTY_TERMS or environ.get("TERM_PROGRAM") == "ghostty" or "KITTY_WINDOW_ID" in environ
    )
    name, typed = _ask() if named else ("", "")
    return "kitty" if _knows_placeholders(name) else "blocks", typed


def _knows_placeholders(name: str) -> bool:
    found = _KITTY.match(name)
    return name.startswith("ghostty") or bool(found and (int(found[1]), int(found[2])) >= _PLACEHOLDERS_SINCE)


def _ask() -> tuple[str, str]:
    """The terminal's name, empty where it does not answer, and what was typed meanwhile."""
    came = b""
    with contextlib.suppress(termios.error, OSError), _unbuffered():
        os.write(2, _ASK)
        deadline = time.monotonic() + ANSWER_SECONDS
        while not _LAST.search(came):
            left = deadline - time.monotonic()
            if left <= 0 or not select.select([0], [], [], left)[0]:
                break
            chunk = os.read(0, 4096)
            if not chunk:
                break
            came += chunk
    if not _LAST.search(came):
        return "", came.partition(b"\x1b")[0].decode(errors="replace")  # half an answer cannot be told from keys
    found = _NAME.search(came)
    typed = _LAST.sub(b"", _NAME.sub(b"", came))
    return (found[1] if found else b"").decode(errors="replace"), typed.decode(errors="replace")


@contextlib.contextmanager
def _unbuffered() -> Iterator[None]:
    """The terminal hands on what comes at once, and does not show it; Ctrl-C ends the program as before."""
    before = termios.tcgetattr(0)
    try:
        tty.setcbreak(0, termios.TCSANOW)
        yield
    finally:
        termios.tcsetattr(0, termios.TCSANOW, before)
