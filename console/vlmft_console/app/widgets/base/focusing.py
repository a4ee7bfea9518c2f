"""Focus: gives a widget the keys at once."""

from __future__ import annotations

from textual.widget import Widget


def focus_now(widget: Widget) -> None:
    """Focus `widget` before the next key is handled.

    Textual's own `focus` waits a moment. Over a slow link several keys come in one packet, and those after the first
    would go to what had the focus before.
    """
    widget.screen.set_focus(widget)
