"""Terminal: whether the app can use it, giving it back whatever happens, and signs outside the screen."""

from __future__ import annotations

import contextlib
import os
import signal
import sys
import termios
from collections.abc import Mapping
from io import TextIOWrapper
from threading import Thread
from types import FrameType
from typing import Any, Protocol

NOTIFY_STYLES = ("bell", "osc9", "osc777", "none")
"""How to draw attention from outside the screen: the bell, or a desktop notification in one of two dialects."""

KITTY_TERMS = frozenset({"xterm-kitty", "xterm-ghostty"})
"""What TERM says in terminals that have kitty's graphics protocol."""
GRACE_SECONDS = 0.5
"""How long the app gets to leave by itself after a signal, before the terminal is restored without it."""
_WRITE_SECONDS = 0.3
_WEB_DRIVER = "textual.drivers.web_driver"
"""What textual-serve has Textual draw with."""
_LONGEST_NOTIFICATION = 200

RESET = (
    "\x1b[?2026l"  # synchronised output
    "\x1b[?2004l"  # bracketed paste
    "\x1b[?7h"  # line wrap
    "\x1b[?2048l"  # resize reports
    "\x1b[?1000l\x1b[?1003l\x1b[?1015l\x1b[?1006l\x1b[?1016l"  # mouse
    "\x1b[<u"  # keyboard protocol
    "\x1b[?1049l"  # alternate screen
    "\x1b[?25h"  # cursor
    "\x1b[?1004l"  # focus reports
)
"""What undoes everything that the app switched on."""


def in_browser(environ: Mapping[str, str]) -> bool:
    """Whether a browser is the screen."""
    return environ.get("TEXTUAL_DRIVER", "").startswith(_WEB_DRIVER)


def refusal(environ: Mapping[str, str]) -> str:
    """Why there can be no screen here, and what to use instead; empty when there can."""
    without = "without a screen, `vlmft runs` lists the runs and `vlmft attach RUN` follows one"
    if in_browser(environ):
        return ""
    if not all(stream is not None and stream.isatty() for stream in (sys.__stdin__, sys.__stdout__, sys.__stderr__)):
        return f"a terminal is needed; {without}"
    if environ.get("TERM", "dumb") in ("", "dumb"):
        return f"a terminal that can place text is needed (TERM is dumb or not set); {without}"
    return ""


def has_shell_behind() -> bool:
    """Whether a shell can take the terminal and give it back: not from what ssh, a container or a window began with."""
    return os.getpgrp() != os.getsid(0)


class Leaving(Protocol):
    """An app that can be asked to leave."""

    in_other_program: bool
    """Whether another program has the terminal now, such as an editor."""

    def leave_soon(self, status: int) -> bool:
        """Ask the app to end with this exit status; safe in a signal handler. False where no app runs yet."""


class GiveBack:
    """Gives the terminal back when a signal ends the app, also when the app hangs or its output is stalled.

    The handlers ask the app to leave; an alarm restores the terminal and ends the process if it has not. The exit
    status is 128 plus the signal's number. Runs have supervisors of their own and do not notice.

    Args:
        app: the app that is about to run.
    """

    def __init__(self, app: Leaving) -> None:
        self._app = app
        self._status = 0
        self._attributes: list[Any] = []

    def __enter__(self) -> None:
        with contextlib.suppress(termios.error):
            self._attributes = termios.tcgetattr(0)
        if isinstance(sys.__stderr__, TextIOWrapper):  # where Textual draws
            # Where the terminal is not UTF-8, a sign that it lacks becomes one `?`, not the six cells of an escape.
            sys.__stderr__.reconfigure(errors="replace")
        for number in (signal.SIGTERM, signal.SIGHUP, signal.SIGINT, signal.SIGQUIT):
            signal.signal(number, self._leave)
        signal.signal(signal.SIGALRM, self._end)

    def __exit__(self, *error: object) -> None:
        signal.setitimer(signal.ITIMER_REAL, 0)

    def _leave(self, number: int, frame: FrameType | None) -> None:
        if self._app.in_other_program and number in (signal.SIGINT, signal.SIGQUIT):
            return  # meant for the editor that has the terminal now
        self._status = 128 + number
        signal.setitimer(signal.ITIMER_REAL, GRACE_SECONDS)
        if not self._app.leave_soon(self._status):
            sys.exit(self._status)

    def _end(self, number: int, frame: FrameType | None) -> None:
        with contextlib.suppress(termios.error):
            if self._attributes:
                termios.tcsetattr(0, termios.TCSANOW, self._attributes)
        if not in_browser(os.environ):
            # In a thread, for a stalled terminal would never let go of a write.
            writer = Thread(target=_write_reset, daemon=True)
            writer.start()
            writer.join(_WRITE_SECONDS)
        os._exit(self._status)


def _write_reset() -> None:
    with contextlib.suppress(OSError):
        os.write(2, RESET.encode())


def window_title(text: str) -> str:
    """The characters that name the window of the terminal; `text` may be from anywhere."""
    from vlmft_console.app.widgets.base.literal import one_line

    return f"\x1b]2;{one_line(text)[:_LONGEST_NOTIFICATION]}\x1b\\"


def notification(style: str, title: str, body: str) -> str:
    """The characters that make a terminal ring or show a notification; empty for the style `none`."""
    from vlmft_console.app.widgets.base.literal import one_line

    if style == "bell":
        return "\a"
    title, body = (one_line(text)[:_LONGEST_NOTIFICATION] for text in (title, body))
    if style == "osc9":
        return f"\x1b]9;{title}: {body}\x1b\\"
    if style == "osc777":
        return f"\x1b]777;notify;{title.replace(';', ',')};{body.replace(';', ',')}\x1b\\"
    return ""
