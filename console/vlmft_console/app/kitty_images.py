"""Kitty images: the few pictures that the terminal keeps for the screen, each sent once while it stays."""

from __future__ import annotations

from collections.abc import Callable

from rich.color import Color, ColorSystem

from vlmft_console.pictures import kitty
from vlmft_core.run_folder.picture import Picture


class KittyImages:
    """Has the terminal keep pictures, as many as there are colours; the one not shown for longest makes room.

    Args:
        write: writes to the terminal past the screen, before whatever is drawn after.
        colours: how many the terminal has: the colour of a placeholder arrives as one of these.
    """

    def __init__(self, write: Callable[[str], None], colours: ColorSystem) -> None:
        self._write = write
        self._colours = colours
        self._kept: dict[Picture, tuple[Color, tuple[int, int]]] = {}
        """Colour and size in cells of each, the one shown last at the end."""

    def colour_of(self, picture: Picture, columns: int, rows: int) -> Color:
        """The colour of the placeholders that show this picture over so many cells."""
        if picture in self._kept:
            colour, size = self._kept.pop(picture)
            if size != (columns, rows):
                self._write(kitty.resized(self._number(colour), columns, rows))
        else:
            colour = self._free()
            self._write(kitty.held(picture, self._number(colour), columns, rows))
        self._kept[picture] = colour, (columns, rows)
        return colour

    def drop_all(self) -> None:
        """Have the terminal keep none."""
        while self._kept:
            self._drop_oldest()

    def _free(self) -> Color:
        if len(self._kept) == len(kitty.COLOURS):
            return self._drop_oldest()
        used = {colour for colour, _ in self._kept.values()}
        return next(colour for colour in kitty.COLOURS if colour not in used)

    def _drop_oldest(self) -> Color:
        colour, _ = self._kept.pop(next(iter(self._kept)))
        self._write(kitty.dropped(self._number(colour)))
        return colour

    def _number(self, colour: Color) -> int:
        return kitty.number_of(colour.downgrade(self._colours))
