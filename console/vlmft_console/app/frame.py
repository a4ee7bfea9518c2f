"""Frame: what a changed screen sends to the terminal. Over a slow link the bytes decide how smooth it is.

Textual sends a changed line from its widget's left edge, and every style in full. Here a line is sent from the first
cell that changed, and of a style what differs from the one before. That takes a look into Textual's updates; where they
are of another shape, Textual's own way of sending them is used.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache, lru_cache

from rich.color import ColorSystem
from rich.console import Console
from rich.segment import Segment
from rich.style import Style
from textual._compositor import ChopsUpdate, CompositorUpdate, LayoutUpdate
from textual.geometry import Region
from textual.strip import Strip

_RESET = "\x1b[0m"

PLAIN = str.maketrans(
    {
        **dict(zip("▲▼✓✗✖★●○□■◆▶▸▾»→↻…–·×°", "^vvxx**oo#*>>v>>@.-.xo", strict=True)),
        **dict.fromkeys("█▉▊▋▌▍▎▏▀▄░▇▆▅▃▂", "#"),
        **dict.fromkeys("─━┄╌▁▔╸╺", "-"),
        **dict.fromkeys("│┃‖", "|"),
        **dict.fromkeys("┬┤└╭╮╰╯┌┐┘├┴┼", "+"),
        "🔎": "/ ",
    }
)
"""What stands for a sign where the locale is not UTF-8; as wide as the sign."""


class Frame(CompositorUpdate):
    """A change of the screen, or all of it.

    Args:
        update: the same as Textual has it.
        plain: whether signs beyond ASCII are replaced.
    """

    def __init__(self, update: LayoutUpdate | ChopsUpdate, *, plain: bool = False) -> None:
        self._update = update
        self._plain = plain

    def render_segments(self, console: Console) -> str:
        """The characters to send."""
        sent = _render(self._update, console) if shape_is_known() else self._update.render_segments(console)
        return sent.translate(PLAIN) if self._plain else sent


@cache
def shape_is_known() -> bool:
    """Whether this Textual's updates can be read: a tiny one of each kind comes out as from Textual itself."""
    strip, console = Strip([Segment("ab")]), Console(color_system="truecolor")
    try:
        whole, changed = LayoutUpdate([[strip]], Region(1, 2, 2, 1)), ChopsUpdate([{0: strip}], [(0, 0, 2)], [[2]])
        return all(
            _render(update, console).replace(_RESET, "") == update.render_segments(console)
            for update in (whole, changed)
        )
    except (AttributeError, LookupError, TypeError, ValueError):
        return False


def _render(update: LayoutUpdate | ChopsUpdate, console: Console) -> str:
    pen = _Pen(console._color_system or ColorSystem.TRUECOLOR)
    sent: list[str] = []
    cursor = (-1, -1)
    for x, y, strip in _whole(update) if isinstance(update, LayoutUpdate) else _changed(update):
        if (x, y) != cursor:
            sent.append(f"\x1b[{y + 1};{x + 1}H")
        for text, style, _ in strip:
            sent += pen.write(text, style)
        cursor = (x + strip.cell_length, y)
    return "".join(sent) + _RESET if sent else ""


def _whole(update: LayoutUpdate) -> Iterator[tuple[int, int, Strip]]:
    for y, line in enumerate(update.strips, update.region.y):
        x = update.region.x
        for strip in line:
            yield x, y, strip
            x += strip.cell_length


def _changed(update: ChopsUpdate) -> Iterator[tuple[int, int, Strip]]:
    for y, first, last in update.spans:
        for end, (start, strip) in zip(update.chop_ends[y], update.chops[y].items(), strict=False):
            if strip is not None and start < last and end > first:
                left, right = max(start, first), min(end, last)
                whole = (left, right) == (start, end)
                yield left, y, strip if whole else strip.crop(left - start, right - start)


class _Pen:
    """Knows the style that the terminal has now."""

    def __init__(self, colors: ColorSystem) -> None:
        self._colors = colors
        self._now: tuple[str, str, str] | None = None

    def write(self, text: str, style: Style | None) -> Iterator[str]:
        if style is not None and style.link:
            self._now = None
            yield _RESET + Strip.render_style(style, text, self._colors)
            return
        wanted = _codes(style or Style.null(), self._colors)
        if wanted != self._now:
            yield f"\x1b[{self._change(wanted)}m"
            self._now = wanted
        yield text

    def _change(self, wanted: tuple[str, str, str]) -> str:
        if self._now is None or self._now[0] != wanted[0]:
            return ";".join(filter(None, ("0", *wanted)))
        parts = []
        for now, then, default in zip(self._now[1:], wanted[1:], ("39", "49"), strict=True):
            if now != then:
                parts.append(then or default)
        return ";".join(parts)


@lru_cache(maxsize=4096)
def _codes(style: Style, colors: ColorSystem) -> tuple[str, str, str]:
    """What selects its attributes, its colour and its background; empty for the terminal's own."""
    attributes = Strip.render_ansi(style.without_color, colors)
    color = ";".join(style.color.downgrade(colors).get_ansi_codes()) if style.color else ""
    background = ";".join(style.bgcolor.downgrade(colors).get_ansi_codes(foreground=False)) if style.bgcolor else ""
    return attributes, color, background
