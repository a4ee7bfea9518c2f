"""Key order: keys are handled one after another, each where the one before it has led.

Textual sends a key to whatever has the focus when the key comes. Over a slow link several keys come in one packet, and
all of them would go to the same place: of `/demo` the `/` would open the filter, and the `d` delete a run.
"""

from __future__ import annotations

from collections import deque

from textual import events
from textual.app import App
from textual.message import Message
from textual.message_pump import MessagePump
from textual.timer import Timer

PATIENCE_SECONDS = 0.5
"""A key waits no longer than this: what had the key before may be gone, or be busy."""


class KeyDone(Message):
    """Follows a key on its way up to the app, twice: first to where the app runs the key's action, and then behind
    what that has asked for. When it arrives again, the key has been handled.

    Args:
        target: what had the key.
        again: whether this is the second time.
    """

    def __init__(self, target: MessagePump, *, again: bool = False) -> None:
        super().__init__()
        self.target = target
        self.again = again


class KeyOrder(App[None]):
    """An app that handles one key at a time."""

    def __init__(self) -> None:
        super().__init__()
        self._keys: deque[events.Key] = deque()
        self._key_under_way = False
        self._patience: Timer | None = None

    async def on_event(self, event: events.Event) -> None:
        if not isinstance(event, events.Key) or event.is_forwarded:
            await super().on_event(event)
        elif self._key_under_way:
            self._keys.append(event)
            if self._patience is None:
                self._patience = self.set_timer(PATIENCE_SECONDS, self._next_key)
        else:
            await self._send(event)

    async def on_key_done(self, message: KeyDone) -> None:
        message.stop()
        if message.again or not message.target.post_message(KeyDone(message.target, again=True)):
            await self._next_key()

    async def _send(self, key: events.Key) -> None:
        target = self.focused or self.screen
        self._key_under_way = True
        await super().on_event(key)
        self._key_under_way = target.post_message(KeyDone(target))

    async def _next_key(self) -> None:
        if self._patience is not None:
            self._patience.stop()
            self._patience = None
        self._key_under_way = False
        while self._keys and not self._key_under_way:
            await self._send(self._keys.popleft())
        if self._keys:
            self._patience = self.set_timer(PATIENCE_SECONDS, self._next_key)
