"""Grid: a rectangle of styled characters, each one column wide."""

from __future__ import annotations

from collections.abc import Iterator
from functools import lru_cache

from rich.cells import get_character_cell_size

Run = tuple[str, str]
"""A piece of text and the name of its style, one of `styles.STYLES` or empty."""


class Grid:
    """`height` rows of `width` characters, blank at first; what is put outside is dropped.

    A character that is not one column wide, that could steer a terminal, or that is not ASCII where only that will do,
    becomes a `?`.

    Attributes:
        text: one list of characters a row.
        style: the style's name for each of them.
    """

    def __init__(self, width: int, height: int, *, unicode: bool = True) -> None:
        self.width = max(0, width)
        self.height = max(0, height)
        self._unicode = unicode
        self.text = [[" "] * self.width for _ in range(self.height)]
        self.style = [[""] * self.width for _ in range(self.height)]

    def put(self, column: int, row: int, text: str, style: str = "", *, over: bool = True) -> None:
        """Write `text` from `column` on; with `over` off only where nothing stands yet."""
        if not 0 <= row < self.height:
            return
        for place, character in enumerate(_one_column_each(text, self._unicode), column):
            if 0 <= place < self.width and (over or self.blank(place, row)):
                self.text[row][place] = character
                self.style[row][place] = style

    def blank(self, column: int, row: int, count: int = 1) -> bool:
        """Whether `count` columns from `column` on are inside and nothing was put there, not even a space."""
        inside = 0 <= row < self.height and column >= 0 and column + count <= self.width
        places = range(column, column + count)
        return inside and all(self.text[row][place] == " " and not self.style[row][place] for place in places)

    def runs(self, row: int) -> list[Run]:
        """One row as pieces of equal style. Blanks join whatever stands beside them: fewer pieces, fewer bytes."""
        pieces: list[list[str]] = []
        for character, style in zip(self.text[row], self.style[row], strict=True):
            if pieces and (character == " " or style == pieces[-1][1]):
                pieces[-1][0] += character
            elif len(pieces) == 1 and pieces[0][0].isspace():
                pieces[0] = [pieces[0][0] + character, style]
            else:
                pieces.append([character, style])
        return [(text, style) for text, style in pieces]

    def changes(self, old: Grid) -> Iterator[tuple[int, int, int]]:
        """Where this grid differs from another of its size: row, first column, column after the last one."""
        for row in range(self.height):
            if self.text[row] == old.text[row] and self.style[row] == old.style[row]:
                continue
            cells = zip(self.text[row], old.text[row], self.style[row], old.style[row], strict=True)
            differing = [column for column, (new, was, style, past) in enumerate(cells) if new != was or style != past]
            yield row, differing[0], differing[-1] + 1

    def lines(self) -> list[str]:
        """The rows as plain text, each exactly `width` characters."""
        return ["".join(row) for row in self.text]


@lru_cache(maxsize=1024)
def _one_column_each(text: str, unicode: bool) -> str:
    return "".join(character if _fits(character, unicode) else "?" for character in text)


def _fits(character: str, unicode: bool) -> bool:
    if not character.isprintable():
        return False
    return character.isascii() or (unicode and get_character_cell_size(character) == 1)
