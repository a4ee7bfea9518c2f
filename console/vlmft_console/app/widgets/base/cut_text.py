"""Cut text: as many lines of a text as there is room for, with a sign where there is more."""

from __future__ import annotations

import textwrap

from textual.widgets import Static

from vlmft_console.app.widgets.base.literal import literal


class CutText(Static):
    """Shows a text in as many lines as `max-height` leaves it; the last one ends in `…` where that is not all."""

    DEFAULT_CSS = """
    CutText { width: 1fr; }
    """

    def __init__(self, *, id: str | None = None) -> None:
        super().__init__("", id=id, markup=False)
        self._text = ""

    def show(self, text: str) -> None:
        """Show this text; it may hold names and reasons from anywhere."""
        self._text = text
        self._write()

    def on_resize(self) -> None:
        self._write()

    def _write(self) -> None:
        width = self.content_size.width or self.screen.size.width - 2  # it has none while there is no text
        most = self.styles.max_height
        lines = textwrap.wrap(
            self._text, max(8, width), max_lines=int(most.value) if most else None, placeholder=" …",
            break_on_hyphens=False,
        )  # fmt: skip
        self.update(literal("\n".join(lines)))
