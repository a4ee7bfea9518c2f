"""Cells of a list: text with a role, which columns fit into a width, and text cut to a cell. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

from rich.cells import cell_len, set_cell_size

from vlmft_console.app.widgets.base.line_view import Line, Part
from vlmft_console.app.widgets.base.literal import one_line


class Cell(NamedTuple):
    """Text, from anywhere, and the role that gives it a style."""

    text: str
    role: str = ""
    """`dim`, `strong`, `good`, `caution`, `stop`, or empty. The text says the same in words or signs."""
    short: str = ""
    """What stands there where the text would be cut off; empty: the text, cut off."""


@dataclass(frozen=True)
class ColumnSpec:
    """One column."""

    title: str
    width: int
    """Cells it takes; of the column that stretches, the fewest."""
    rank: int = 0
    """Columns of the highest rank are left out first."""
    right: bool = False
    """Numbers stand at the right edge."""
    stretches: bool = False
    """Takes the room that is left, up to `widest`."""
    widest: int = 64
    middle: bool = False
    """A text that is too long is cut in its middle: names often differ at their ends."""


def fit_columns(columns: Sequence[ColumnSpec], width: int) -> dict[int, tuple[ColumnSpec, int]]:
    """The columns that fit into `width` cells with one cell between them, by number, each with its cells."""
    kept = dict(enumerate(columns))
    while len(kept) > 1 and sum(column.width + 1 for column in kept.values()) - 1 > width:
        del kept[max(kept, key=lambda number: (kept[number].rank, number))]
    spare = max(0, width - sum(column.width + 1 for column in kept.values()) + 1)
    sizes: dict[int, tuple[ColumnSpec, int]] = {}
    for number, column in kept.items():
        extra = min(spare, column.widest - column.width) if column.stretches else 0
        spare -= extra
        sizes[number] = (column, min(column.width + extra, max(1, width)))
    return sizes


def cells_line(cells: Sequence[Cell], columns: Sequence[ColumnSpec], width: int) -> Line:
    """The cells, one for each column, beside each other, those in columns that fit into `width`."""
    parts: list[Part] = []
    for number, (column, room) in fit_columns(columns, width).items():
        text, role, short = cells[number]
        if short and cell_len(one_line(text)) > room:
            text = short
        cut = cut_in_the_middle(text, room) if column.middle else text
        parts += [(fitted(cut, room, column.right), role), (" ", "")]
    return tuple(parts)


def titles_line(columns: Sequence[ColumnSpec], width: int) -> Line:
    """The titles of the columns that fit into `width`."""
    return cells_line([Cell(column.title, "dim") for column in columns], columns, width)


def fitted(text: str, width: int, right: bool = False) -> str:
    """`text`, made safe, in exactly `width` cells; `…` where something is cut off."""
    text = one_line(text)
    length = cell_len(text)
    if length > width:
        return set_cell_size(text, width - 1) + "…" if width > 1 else set_cell_size(text, width)
    padding = " " * (width - length)
    return padding + text if right else text + padding


def cut_line(line: Line, width: int) -> Line:
    """The line in at most `width` cells; `…` at its end where something is cut off."""
    if sum(cell_len(text) for text, _ in line) <= width:
        return line
    kept: list[Part] = []
    for text, role in line:
        room = width - sum(cell_len(before) for before, _ in kept)
        if cell_len(text) >= room:
            return (*kept, (fitted(f"{text}…", room), role))
        kept.append((text, role))
    return tuple(kept)


def cut_in_the_middle(text: str, width: int) -> str:
    """`text`, made safe, in at most `width` cells: both ends of it with a `…` between, more of the last one."""
    text = one_line(text)
    if cell_len(text) <= width or width < 3:
        return text
    head = (width - 1) * 2 // 5
    tail = width - 1 - head
    start = len(text)
    while start and cell_len(text[start - 1 :]) <= tail:
        start -= 1
    return set_cell_size(text, head).rstrip() + "…" + text[start:]


def sparkline(share: float) -> str:
    """`share` (0 to 1, clamped) as one cell that is filled from below, to an eighth."""
    return "▁▂▃▄▅▆▇█"[round(max(0.0, min(1.0, share)) * 7)]


def bar(share: float, width: int) -> str:
    """`share` (0 to 1, clamped) as a bar of `width` cells, to an eighth of a cell."""
    eighths = round(max(0.0, min(1.0, share)) * width * 8)
    full, rest = divmod(eighths, 8)
    partial = " ▏▎▍▌▋▊▉"[rest] if rest else ""
    return ("█" * full + partial).ljust(width, "░")
