"""Messages for a few seconds, and text for the clipboard, whatever is in it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from textual.notifications import Notification, Notify

from vlmft_console.app.wrapping import wrapped
from vlmft_console.sanitize import sanitize

if TYPE_CHECKING:
    from rich.console import Console
    from textual.app import App
    from textual.screen import Screen
    from textual.widget import Widget

_LINES: Final = 2
"""How many of the screen a message may lie over: those that `app.tcss` leaves it."""
_MORE: Final = "… ! shows all"


@dataclass
class Said(Notification):
    """A message."""

    whole: str = ""
    """All of it; `message` is what of it is shown by itself."""
    screen: Screen[object] | None = None
    """What it is about: it goes with that screen. None: it matters wherever the person goes."""

    def fit(self, console: Console, width: int) -> None:
        """Take so few lines of this many cells that little is covered; say how to see the rest."""
        self.message = "\n".join(wrapped(self.whole, console, max(len(_MORE), width), _LINES, _MORE))


def tell(where: Widget | App[None], text: str, *, problem: bool = False) -> None:
    """Show a message for a few seconds, instead of the one before.

    Args:
        where: who says it. What a screen or a widget says goes when its screen does, or another is laid over it; what
            the app says stays, such as where a file was written.
        text: may hold names and reasons from anywhere.
        problem: whether something did not go as it should.
    """
    plain = sanitize(text)
    screen = None if where is where.app else where.screen
    said = Said(plain, severity="error" if problem else "information", whole=plain, screen=screen)
    where.app.post_message(Notify(said))


def copy_text(where: Widget | Screen[None], text: str) -> None:
    """Send `text` to the clipboard of the terminal, by OSC 52, which some terminals forbid; say so."""
    plain = sanitize(text)
    where.app.copy_to_clipboard(plain)
    tell(where, f"sent to the clipboard: {plain}")
