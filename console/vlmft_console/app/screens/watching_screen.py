"""Watching screen: one that a thread keeps up to date while somebody looks."""

from __future__ import annotations

from threading import Event
from typing import Final

from textual.screen import Screen

RUN_GONE: Final = "The run's folder is gone: deleted, or moved"
"""What a screen of one run says where its folder is no longer there."""


class WatchingScreen(Screen[None]):
    """Its thread looks until `_left`, and waits between two looks as `_wait` has it."""

    def __init__(self) -> None:
        super().__init__()
        self._wake = Event()
        self._paused = self._left = False
        self.getting_ready = True
        """Until it has looked once."""

    def on_unmount(self) -> None:
        self._left = True  # said before the wake-up: a worker is cancelled only after this
        self._wake.set()

    def on_screen_suspend(self) -> None:
        self._paused = True

    def on_screen_resume(self) -> None:
        self._paused = False
        self._wake.set()

    def _wait(self, seconds: float) -> None:
        """In the thread: until the next look is due; while nobody looks, until somebody does."""
        self._wake.wait(None if self._paused else seconds)
        self._wake.clear()

    def look_now(self) -> None:
        """Look without waiting."""
        self._wake.set()
