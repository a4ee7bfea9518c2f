"""Pictures in a terminal: two pixels a character, and smaller than they are."""

from __future__ import annotations

from rich.color import Color

from tests.kept_answers import picture
from vlmft_console.pictures.half_blocks import half_blocks, scaled
from vlmft_core.run_folder.answers import Picture


def test_a_character_is_two_pixels_and_an_odd_last_row_has_no_background() -> None:
    first, second = half_blocks(Picture(1, 3, bytes([255, 0, 0, 0, 255, 0, 0, 0, 255])))
    assert (first[0].color, first[0].bgcolor) == (Color.from_rgb(255, 0, 0), Color.from_rgb(0, 255, 0))
    assert (second[0].color, second[0].bgcolor) == (Color.from_rgb(0, 0, 255), None)


def test_a_smaller_picture_has_the_shape_and_the_mean_colours() -> None:
    small = scaled(picture(24, 18), 12, 100)
    assert (small.width, small.height) == (12, 9)
    assert small.pixels[:3] == b"\xff\x00\x00"
    assert small.pixels[-3:] == b"\x00\x00\xff"
    mixed = scaled(Picture(2, 2, bytes([0, 0, 0, 100, 100, 100, 0, 0, 0, 100, 100, 100])), 1, 1)
    assert mixed == Picture(1, 1, bytes([50, 50, 50]))


def test_a_picture_is_never_enlarged_nor_less_than_a_pixel() -> None:
    assert scaled(picture(), 500, 500) == picture()
    assert scaled(picture(90, 2), 3, 1).height == 1
