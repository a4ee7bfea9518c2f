"""Draft keeping: writes a draft's unsaved changes down, a moment after each and when the app ends."""

from __future__ import annotations

from textual.timer import Timer
from textual.widget import Widget

from vlmft_console.presets import Draft
from vlmft_console.presets.keep import Keeper

KEEP_SECONDS = 0.5
"""How long after a change it is written down."""


class Keeping(Widget):
    """Shows nothing; whatever ends the app, what was typed half a second before is on disk."""

    DEFAULT_CSS = "Keeping { display: none; }"

    def __init__(self) -> None:
        super().__init__()
        self._draft: Draft | None = None
        self._keeper: Keeper | None = None
        self._timer: Timer | None = None

    def follow(self, draft: Draft) -> None:
        """Keep the changes of this draft from now on."""
        self._draft, self._keeper = draft, Keeper(draft.base)

    def keep_soon(self) -> None:
        """Something has changed."""
        if self._timer is not None:
            self._timer.stop()
        self._timer = self.set_timer(KEEP_SECONDS, self.keep)

    def keep(self) -> None:
        """Write down what there is."""
        if self._keeper is not None and self._draft is not None:
            self._keeper.keep(self._draft.unsaved())

    def forget(self) -> None:
        """The changes were saved or given up: there is nothing to keep any more."""
        if self._keeper is not None:
            self._keeper.forget()
            self._keeper = None

    def on_unmount(self) -> None:
        self.keep()
