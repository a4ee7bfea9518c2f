"""Cut text: as many lines of a text as there is room for, with a sign where there is more."""

from __future__ import annotations

from textual.content import Content
from textual.geometry import Size
from textual.widget import Widget

from vlmft_console.app.wrapping import wrapped
from vlmft_console.sanitize import sanitize


class CutText(Widget):
    """Shows a text in as many lines as `max-height` leaves it; the last one ends in `…` where that is not all."""

    DEFAULT_CSS = """
    CutText { width: 1fr; height: auto; }
    """

    def __init__(self, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self.text = ""

    def show(self, text: str) -> None:
        """Show this text; it may hold names and reasons from anywhere."""
        self.text = sanitize(text)
        self.refresh(layout=True)

    def get_content_height(self, container: Size, viewport: Size, width: int) -> int:
        """How many lines all of it takes; `max-height` may leave it fewer."""
        return len(self._lines(width, len(self.text)))

    def render(self) -> Content:
        width, height = self.content_size
        return Content("\n".join(self._lines(width, height)))

    def _lines(self, width: int, most: int) -> list[str]:
        return wrapped(self.text, self.app.console, max(8, width), max(1, most), "…")
