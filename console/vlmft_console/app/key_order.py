"""Key order: keys are handled one after another, each where the one before it has led.

Textual sends a key to whatever has the focus when the key comes. Over a slow link several keys come in one packet, and
on a busy machine the next key comes before the last one has done its work. All of them would go to the same place: of
`/demo` the `/` would open the filter, and the `d` delete a run.

Keys also wait while a screen has nothing yet that they could be meant for: its `getting_ready` says so.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping

from textual import events
from textual._xterm_parser import XTermParser
from textual.app import App
from textual.message import Message
from textual.message_pump import MessagePump
from textual.timer import Timer
from textual.widget import Widget

_AT_ONCE = frozenset({"escape", "q", "ctrl+q", "ctrl+z", "ctrl+t", "question_mark", "f1"})
"""These do not wait for a screen to be ready, and take the place of what waits for it."""
_NOTHING = "f35"
"""A key that does nothing."""
_EARLY_ENTER = "ctrl+j"
"""What Enter comes as where it was typed before the app had the terminal, which still ended lines by itself."""
LOOK_SECONDS = 0.05
"""Between two looks at whether what had the key is still there, while other keys wait. However long it takes over the
key, they wait."""


class KeyDone(Message):
    """Follows a key on its way up to the app, twice: first to where the app runs the key's action, and then behind
    what that has asked for. When it arrives again, the key has been handled.

    Args:
        number: of the key, counted from the app's start.
        target: what had the key.
        again: whether this is the second time.
    """

    def __init__(self, number: int, target: MessagePump, *, again: bool = False) -> None:
        super().__init__()
        self.number = number
        self.target = target
        self.again = again


class KeyOrder(App[None]):
    """An app that handles one key, or one paste, at a time.

    Args:
        own_keys: what a pressed key means: another one, or nothing.
    """

    def __init__(self, own_keys: Mapping[str, str] | None = None) -> None:
        super().__init__()
        self._meanings = own_keys or {}
        self.own_keys = {meant: pressed for pressed, meant in self._meanings.items() if meant}
        """By one of the console's keys what is pressed instead."""
        self._keys: deque[events.Key | events.Paste] = deque()
        self._number = 0
        self._under_way: MessagePump | None = None
        """What has the key that is being handled."""
        self._looking: Timer | None = None
        self.typed_ahead = ""
        """What was typed before the app had the terminal, and is not in it any more."""

    def on_load(self) -> None:
        for key in XTermParser().feed(self.typed_ahead) if self.typed_ahead else ():
            self.post_message(key)

    async def on_event(self, event: events.Event) -> None:
        if not isinstance(event, events.Key | events.Paste) or event.is_forwarded:
            await super().on_event(event)
        elif self._under_way is not None or self._is_early(event):
            self._keys.append(event)
            self._look_again()
        elif self._keys and not self._is_at_once(event):  # the screen has just become ready for those that wait
            self._keys.append(event)
            await self._next_key()
        else:
            self._keys.clear()
            await self._send(event)

    async def on_key_done(self, message: KeyDone) -> None:
        message.stop()
        if message.number != self._number:  # it was given up
            return
        again = KeyDone(message.number, message.target, again=True)
        if message.again or not message.target.post_message(again):
            await self._next_key()

    async def _send(self, key: events.Key | events.Paste) -> None:
        self._number += 1
        target = self.focused or self.screen
        self._under_way = target
        await super().on_event(self._meant(key, target))
        if not target.post_message(KeyDone(self._number, target)):
            self._under_way = None

    def _meant(self, key: events.Key | events.Paste, target: MessagePump) -> events.Key | events.Paste:
        """The key that the person means; what is typed as text means itself."""
        if isinstance(key, events.Key) and key.key == _EARLY_ENTER and _EARLY_ENTER not in self._meanings:
            key = events.Key("enter", "\r")
        if isinstance(key, events.Paste) or key.key not in self._meanings:
            return key
        if isinstance(target, Widget) and target.check_consume_key(key.key, key.character):
            return key
        return events.Key(self._meanings[key.key] or _NOTHING, None)

    async def _next_key(self) -> None:
        self._under_way = None
        while self._keys and self._under_way is None and not self._is_early(self._keys[0]):
            await self._send(self._keys.popleft())
        if self._keys:
            self._look_again()

    def _is_early(self, key: events.Key | events.Paste) -> bool:
        """Whether the screen has nothing yet for this key, or for those before it."""
        getting_ready = bool(self.screen_stack) and getattr(self.screen, "getting_ready", False)
        return getting_ready and not self._is_at_once(key)

    def _is_at_once(self, key: events.Key | events.Paste) -> bool:
        return isinstance(key, events.Key) and self._meanings.get(key.key, key.key) in _AT_ONCE

    def _look_again(self) -> None:
        if self._looking is None:
            self._looking = self.set_timer(LOOK_SECONDS, self._look)

    async def _look(self) -> None:
        """Go on where nothing can tell any more that the key was handled: what had it was closed by it."""
        self._looking = None
        if not self._keys or not self.screen_stack:  # an app that ends has no screens
            return
        if self._leads_here(self._under_way):
            self._look_again()
        else:
            await self._next_key()

    def _leads_here(self, node: MessagePump | None) -> bool:
        """Whether a message can come up from `node` to the app."""
        while node is not None and not node._closing and not node._closed:
            if node is self:
                return True
            node = node._parent
        return False
