"""Scrolling keys of a widget that is only read: vim's and the arrows alike."""

from __future__ import annotations

from textual.binding import Binding, BindingType

SCROLLING: list[BindingType] = [
    Binding("j,down", "scroll_down", "down", show=False),
    Binding("k,up", "scroll_up", "up", show=False),
    Binding("g,home", "scroll_home", "first", show=False),
    Binding("G,end", "scroll_end", "last", show=False),
    Binding("ctrl+d,pagedown", "page_down", "page down", show=False),
    Binding("ctrl+u,pageup", "page_up", "page up", show=False),
]
