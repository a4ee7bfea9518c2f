"""Pictures in a terminal: two pixels a character, and smaller than they are."""

from __future__ import annotations

import random

from rich.color import Color

from tests.kept_answers import picture
from vlmft_console.pictures.half_blocks import half_blocks, scaled
from vlmft_core.run_folder.picture import COLOURS, LONG_SIDE, SHORT_SIDE, Picture


def test_a_character_is_two_pixels_and_an_odd_last_row_has_no_background() -> None:
    first, second = half_blocks(Picture.of(1, 3, bytes([255, 0, 0, 0, 255, 0, 0, 0, 255])))
    assert (first[0].color, first[0].bgcolor) == (Color.from_rgb(255, 0, 0), Color.from_rgb(0, 255, 0))
    assert (second[0].color, second[0].bgcolor) == (Color.from_rgb(0, 0, 255), None)


def test_a_smaller_picture_has_the_shape_and_the_mean_colours() -> None:
    small = scaled(picture(24, 18), 12, 100)
    assert (small.width, small.height) == (12, 9)
    assert small.pixels()[:3] == b"\xff\x00\x00"
    assert small.pixels()[-3:] == b"\x00\x00\xff"
    mixed = scaled(Picture.of(2, 2, bytes([0, 0, 0, 100, 100, 100, 0, 0, 0, 100, 100, 100])), 1, 1)
    assert mixed == Picture.of(1, 1, bytes([50, 50, 50]))


def test_the_largest_picture_is_scaled_to_the_mean_of_every_pixel_once() -> None:
    chance = random.Random(1)
    palette, numbers = chance.randbytes(3 * COLOURS), chance.randbytes(LONG_SIDE * SHORT_SIDE)
    small = scaled(Picture.of(LONG_SIDE, SHORT_SIDE, numbers, palette), 64, 100)
    assert (small.width, small.height) == (64, 48)
    pixels = small.pixels()
    for x, y in ((0, 0), (63, 47), (17, 31)):
        block = [numbers[LONG_SIDE * (6 * y + down) + 6 * x + right] for down in range(6) for right in range(6)]
        means = [sum(palette[3 * number + channel] for number in block) // 36 for channel in range(3)]
        assert list(pixels[3 * (64 * y + x) :][:3]) == means


def test_a_picture_is_never_enlarged_nor_less_than_a_pixel() -> None:
    assert scaled(picture(), 500, 500) == picture()
    assert scaled(picture(90, 2), 3, 1).height == 1
