"""A message for a few seconds, whatever is in its text."""

from __future__ import annotations

from typing import TYPE_CHECKING

from vlmft_console.sanitize import sanitize

if TYPE_CHECKING:
    from textual.app import App
    from textual.widget import Widget


def tell(where: Widget | App[None], text: str, *, problem: bool = False) -> None:
    """Show a message for a few seconds, instead of the one before; `text` may hold names and reasons from anywhere."""
    where.notify(sanitize(text), severity="error" if problem else "information", markup=False)
