"""Pictures that the terminal keeps for the app: each sent once while it stays, and as few as there are colours."""

from __future__ import annotations

import random

import pytest
from rich.cells import cell_len
from rich.color import ColorSystem

from tests.in_kitty import Told
from tests.kept_answers import picture
from vlmft_console.app.kitty_images import KittyImages
from vlmft_console.pictures.kitty import COLOURS, MOST_CELLS, placeholder
from vlmft_core.run_folder.picture import LONG_SIDE, SHORT_SIDE, Picture


class Screen:
    """What was written to a terminal."""

    def __init__(self, colours: ColorSystem = ColorSystem.TRUECOLOR) -> None:
        self.written = ""
        self.images = KittyImages(self._write, colours)

    def _write(self, text: str) -> None:
        self.written += text

    @property
    def told(self) -> Told:
        return Told(self.written.encode())


def test_a_picture_is_sent_once_and_only_fitted_anew_in_another_size() -> None:
    screen = Screen()
    colour = screen.images.colour_of(picture(), 24, 9)
    assert screen.images.colour_of(picture(), 24, 9) == colour
    assert screen.images.colour_of(picture(), 12, 5) == colour
    assert len(screen.told.sent) == 1
    assert list(screen.told.sizes.values()) == [(12, 5)]


def test_the_picture_not_shown_for_longest_makes_room_and_is_sent_again_when_it_is_shown() -> None:
    screen = Screen()
    for width in range(1, len(COLOURS) + 1):
        screen.images.colour_of(picture(width), 1, 1)
    screen.images.colour_of(picture(1), 1, 1)
    screen.images.colour_of(picture(50), 1, 1)
    assert len(screen.told.kept) == len(COLOURS)
    assert sorted(image.width for image in screen.told.kept.values()) == [1, *range(3, len(COLOURS) + 1), 50]
    screen.images.colour_of(picture(2), 1, 1)
    assert len(screen.told.sent) == len(COLOURS) + 2


def test_the_largest_pictures_that_are_kept_take_a_megabyte_of_what_is_sent() -> None:
    screen, chance = Screen(), random.Random(1)
    for _ in COLOURS:
        numbers, palette = chance.randbytes(LONG_SIDE * SHORT_SIDE), chance.randbytes(768)
        shown = Picture.of(LONG_SIDE, SHORT_SIDE, numbers, palette)
        screen.images.colour_of(shown, 40, 15)
        assert list(screen.told.kept.values())[-1].convert("RGB").tobytes() == shown.pixels()
    assert len(screen.written) < 1 << 20


def test_when_all_are_dropped_nothing_is_kept_and_a_picture_is_sent_anew() -> None:
    screen = Screen()
    screen.images.colour_of(picture(), 24, 9)
    screen.images.drop_all()
    assert screen.told.kept == {}
    before = screen.written
    screen.images.drop_all()
    assert screen.written == before
    screen.images.colour_of(picture(), 24, 9)
    assert len(screen.told.kept) == 1


@pytest.mark.parametrize(
    ("colours", "numbers"),
    [(ColorSystem.TRUECOLOR, [0xFF0000, 0xFF005F]), (ColorSystem.EIGHT_BIT, [196, 197])],
    ids=["truecolor", "256"],
)
def test_a_pictures_number_is_its_colour_as_the_terminal_gets_it(colours: ColorSystem, numbers: list[int]) -> None:
    screen = Screen(colours)
    for width in (1, 2):
        screen.images.colour_of(picture(width), 1, 1)
    assert list(screen.told.kept) == numbers


def test_every_cell_of_the_largest_picture_has_a_placeholder_of_its_own_that_is_one_cell_wide() -> None:
    cells = [placeholder(row, column) for row in range(MOST_CELLS) for column in range(MOST_CELLS)]
    assert len(set(cells)) == len(cells)
    assert {cell_len(cell) for cell in cells} == {1}
