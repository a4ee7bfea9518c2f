"""Demo pictures: small bar charts and text signs, drawn with Pillow and its embedded font.

Every picture is `SIZE` by `SIZE` pixels, RGB. What is drawn is decided by a seeded `random.Random` alone, so the
same seed gives the same pixels.
"""

from __future__ import annotations

import random
from dataclasses import dataclass
from functools import cache

from PIL import Image, ImageDraw, ImageFont

SIZE = 112
"""Pixels a side: 8 x 8 patches of 14 pixels, 16 image tokens."""

LEVELS = 10
"""A bar ends on one of this many equally spaced heights, 1 (lowest) to `LEVELS` (the top of the axis)."""

LETTERS = "ABCDEFGH"
COLOURS = {
    "red": (214, 45, 40),
    "orange": (250, 140, 20),
    "green": (45, 160, 60),
    "blue": (40, 95, 215),
    "purple": (145, 75, 190),
    "gray": (130, 130, 130),
}
WORDS = (
    "ace", "add", "age", "bad", "bag", "bed", "bee", "cab", "dad", "egg",
    "bead", "beef", "cafe", "cage", "chef", "edge", "face", "feed", "head", "hedge", "badge", "beach",
)  # fmt: skip
"""Words of three to five of the `LETTERS`."""

_LEFT, _RIGHT, _TOP, _BASE = 18, 110, 8, 92
_LEVEL_PIXELS = (_BASE - _TOP) / LEVELS


@dataclass(frozen=True)
class Style:
    """How a picture looks. Colours are RGB, 0 to 255.

    Attributes:
        paper: background.
        ink: text and axes.
        axis_top: the number printed at the top of a chart's axis.
        jitter: largest random change of each channel of a bar's or board's colour.
        grid: whether charts have horizontal grid lines.
    """

    paper: tuple[int, int, int]
    ink: tuple[int, int, int]
    axis_top: int
    jitter: int
    grid: bool


@dataclass(frozen=True)
class BarChart:
    """A vertical bar chart: one letter, one colour and one height (1 to `LEVELS`) a bar, none of them twice."""

    letters: tuple[str, ...]
    colours: tuple[str, ...]
    levels: tuple[int, ...]


@dataclass(frozen=True)
class Sign:
    """A coloured board over a word in capitals, as over a shop."""

    word: str
    colour: str


def random_chart(rng: random.Random) -> BarChart:
    """A chart of three to five bars."""
    bars = rng.randint(3, 5)
    letters = sorted(rng.sample(LETTERS, bars))
    colours = rng.sample(list(COLOURS), bars)
    levels = rng.sample(range(1, LEVELS + 1), bars)
    return BarChart(tuple(letters), tuple(colours), tuple(levels))


def random_sign(rng: random.Random) -> Sign:
    """A sign with any word and any colour."""
    return Sign(rng.choice(WORDS), rng.choice(list(COLOURS)))


def draw_chart(chart: BarChart, style: Style, rng: random.Random) -> Image.Image:
    """The chart in `style`; `rng` decides colour jitter and bar widths."""
    image = Image.new("RGB", (SIZE, SIZE), style.paper)
    pen = ImageDraw.Draw(image)
    if style.grid:
        for level in range(2, LEVELS + 1, 2):
            y = _BASE - level * _LEVEL_PIXELS
            pen.line((_LEFT, y, _RIGHT, y), fill=_mix(style.paper, style.ink, 0.2))
    slot = (_RIGHT - _LEFT) / len(chart.letters)
    half = slot * rng.uniform(0.28, 0.42)
    for place, (letter, colour, level) in enumerate(zip(chart.letters, chart.colours, chart.levels, strict=True)):
        middle = _LEFT + slot * (place + 0.5)
        top = _BASE - level * _LEVEL_PIXELS
        fill = _jittered(COLOURS[colour], style.jitter, rng)
        pen.rectangle((middle - half, top, middle + half, _BASE), fill=fill)
        _write_letter(pen, letter, middle, style)
    pen.line((_LEFT, _TOP, _LEFT, _BASE), fill=style.ink)
    pen.line((_LEFT, _BASE, _RIGHT, _BASE), fill=style.ink)
    pen.text((_LEFT - 2, _TOP), str(style.axis_top), fill=style.ink, font=_font(9), anchor="rm")
    pen.text((_LEFT - 2, _BASE), "0", fill=style.ink, font=_font(9), anchor="rm")
    return image


def draw_sign(sign: Sign, style: Style, rng: random.Random) -> Image.Image:
    """The sign in `style`; `rng` decides colour jitter and the board's height."""
    image = Image.new("RGB", (SIZE, SIZE), style.paper)
    pen = ImageDraw.Draw(image)
    fill = _jittered(COLOURS[sign.colour], style.jitter, rng)
    pen.rounded_rectangle((_LEFT, rng.randint(_TOP, 50), _RIGHT, _BASE - 4), radius=8, fill=fill)
    slot = (_RIGHT - _LEFT) / len(sign.word)
    for place, letter in enumerate(sign.word.upper()):
        _write_letter(pen, letter, _LEFT + slot * (place + 0.5), style)
    return image


def _write_letter(pen: ImageDraw.ImageDraw, letter: str, middle: float, style: Style) -> None:
    """One letter in the bottom row, centred on the column `middle`."""
    pen.text((middle, 102), letter, fill=style.ink, font=_font(15), anchor="mm")


@cache
def _font(size: int) -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
    """Pillow's embedded font, `size` pixels high: the same on every machine."""
    return ImageFont.load_default(size)


def _mix(one: tuple[int, int, int], other: tuple[int, int, int], share: float) -> tuple[int, int, int]:
    """`one` moved towards `other` by `share` (0 to 1)."""
    red, green, blue = (round(a + (b - a) * share) for a, b in zip(one, other, strict=True))
    return red, green, blue


def _jittered(colour: tuple[int, int, int], amount: int, rng: random.Random) -> tuple[int, int, int]:
    """`colour` with every channel changed by at most `amount`."""
    red, green, blue = (min(255, max(0, channel + rng.randint(-amount, amount))) for channel in colour)
    return red, green, blue
