"""Key bar: the last line of a screen names its keys, as many as fit."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.cells import cell_len
from textual import events
from textual.content import Content
from textual.widget import Widget

from vlmft_console.app.keys import Key, keys_of

if TYPE_CHECKING:
    from textual.screen import Screen


class KeyBar(Widget, can_focus=False):
    """Names the keys of the screen in the order of its bindings; `?` keeps its place at the end, however narrow.

    Args:
        screen_first: whether the screen's own keys come before those of the widget that has the focus.
    """

    ALLOW_SELECT = False
    DEFAULT_CSS = """
    KeyBar {
        dock: bottom;
        height: 1;
        padding: 0 1;
        background: $panel;
        color: $foreground;
    }
    """

    def __init__(self, *, screen_first: bool = False) -> None:
        super().__init__()
        self._screen_first = screen_first
        self._keys: list[Key] = []

    def on_mount(self) -> None:
        self.screen.bindings_updated_signal.subscribe(self, self._bindings_changed)
        self._bindings_changed(self.screen)

    def _bindings_changed(self, screen: Screen[object]) -> None:
        if not self.is_attached or screen is not self.screen:
            return
        keys = [key for key in keys_of(screen) if key.shown]
        if self._screen_first:
            keys.sort(key=lambda key: key.node is not screen)
        if [_label(key) for key in keys] != [_label(key) for key in self._keys]:
            self.refresh()
        self._keys = keys

    def fitting(self, width: int) -> list[Key]:
        """The keys that a line of `width` cells can name, the app's own (`?`) last."""
        own = [key for key in self._keys if key.everywhere]
        room = width - sum(_cells(key) for key in own)
        chosen = []
        for key in (key for key in self._keys if not key.everywhere):
            room -= _cells(key)
            if room < 0:
                break
            chosen.append(key)
        return chosen + own

    def render(self) -> Content:
        parts: list[Content | tuple[str, str] | str] = []
        for key in self.fitting(self.size.width):
            parts += [(_shown_key(key), "bold $footer-key-foreground"), f" {key.description}  "]
        return Content.assemble(*parts)

    async def on_click(self, event: events.Click) -> None:
        """A click on a name does what the key does."""
        right = 1  # the padding
        for key in self.fitting(self.size.width):
            right += _cells(key)
            if event.x < right:
                await self.app.run_action(key.action, key.node)
                return


def _shown_key(key: Key) -> str:
    return key.display.split(" ")[0]


def _label(key: Key) -> str:
    return f"{_shown_key(key)} {key.description}"


def _cells(key: Key) -> int:
    return cell_len(_label(key)) + 2
