"""Messages for a few seconds, and text for the clipboard, whatever is in it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from vlmft_console.sanitize import sanitize

if TYPE_CHECKING:
    from textual.app import App
    from textual.screen import Screen
    from textual.widget import Widget


def tell(where: Widget | App[None], text: str, *, problem: bool = False) -> None:
    """Show a message for a few seconds, instead of the one before; `text` may hold names and reasons from anywhere."""
    where.notify(sanitize(text), severity="error" if problem else "information", markup=False)


def copy_text(where: Widget | Screen[None], text: str) -> None:
    """Send `text` to the clipboard of the terminal, by OSC 52, which some terminals forbid; say so."""
    plain = sanitize(text)
    where.app.copy_to_clipboard(plain)
    tell(where, f"sent to the clipboard: {plain}")
