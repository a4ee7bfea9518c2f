"""Picture view: a picture as the terminal can show it, true where it draws pictures itself, else in half blocks."""

from __future__ import annotations

from collections.abc import Iterator
from functools import lru_cache

from rich.segment import Segment
from rich.style import Style
from textual.strip import Strip
from textual.widget import Widget

from vlmft_console.app.kitty_images import KittyImages
from vlmft_console.pictures.half_blocks import HALF_BLOCK, half_blocks, scaled, size_within
from vlmft_console.pictures.kitty import MOST_CELLS, placeholder
from vlmft_core.run_folder.picture import Picture


class PictureView(Widget):
    """A picture, as wide as it is when two pixels stand in each character.

    Args:
        images: what the terminal keeps; None where it draws no pictures.
    """

    ALLOW_SELECT = False
    DEFAULT_CSS = """
    PictureView { width: 0; height: 1fr; margin-right: 1; }
    """

    def __init__(self, images: KittyImages | None) -> None:
        super().__init__()
        self._images = images
        self._shown: tuple[Picture, int, int] | None = None
        self._lines: list[list[tuple[str, Style]]] = []
        self._covered = False

    def on_mount(self) -> None:
        if self._images is not None:
            self.app.app_suspend_signal.subscribe(self, lambda _: self._forget(), immediate=True)
            self.app.app_resume_signal.subscribe(self, lambda _: self._come_back())

    def on_unmount(self) -> None:
        self._forget()

    def show(self, picture: Picture | None, columns: int = 0, rows: int = 0) -> None:
        """Show this picture within so many cells; None for none."""
        columns, rows = min(columns, MOST_CELLS), min(rows, MOST_CELLS)
        now = (picture, *size_within(picture, columns, 2 * rows)) if picture else None
        if now != self._shown:
            self._shown = now
            self._draw()

    def set_covered(self, covered: bool) -> None:
        """Say whether a dialog stands over it: that dims all colours, and placeholders of another one show nothing."""
        if covered != self._covered:
            self._covered = covered
            self._draw()

    def _draw(self) -> None:
        self._lines = list(self._cells())
        self.styles.width = self._shown[1] if self._shown else 0
        self.refresh()

    def _cells(self) -> Iterator[list[tuple[str, Style]]]:
        if self._shown is None:
            return
        picture, width, height = self._shown
        if self._images is not None and not self._covered:
            rows = -(-height // 2)
            style = Style(color=self._images.colour_of(picture, width, rows))
            for row in range(rows):
                yield [(placeholder(row, column), style) for column in range(width)]
        else:
            for styles in half_blocks(_scaled(picture, width, height)):
                yield [(HALF_BLOCK, style) for style in styles]

    def _forget(self) -> None:
        if self._images is not None:
            self._images.drop_all()

    def _come_back(self) -> None:
        """The terminal was another program's, and what it kept is gone."""
        self._forget()
        self._draw()

    def render_line(self, y: int) -> Strip:
        base = self.rich_style
        segments = [Segment(text, base + style) for text, style in self._lines[y]] if y < len(self._lines) else []
        return Strip(segments).crop_extend(0, self.size.width, base)


@lru_cache(maxsize=8)
def _scaled(picture: Picture, columns: int, rows: int) -> Picture:
    return scaled(picture, columns, rows)
