"""Line shapes: lines that differ in their numbers alone say the same things, so each shape is understood once.

A log has a handful of shapes and a million lines. Understanding a line costs a dozen searches, finding its numbers one.
"""

from __future__ import annotations

import contextlib
import math
import re
from dataclasses import dataclass
from typing import Final, NamedTuple

from vlmft_console.history.importers.entries.metric_names import EVAL_LOSS
from vlmft_console.history.importers.entries.parsing import number, whole
from vlmft_console.history.importers.printed.line_entry import Entry, entry_of, perplexity_loss
from vlmft_console.history.importers.printed.line_place import Place

_SHAPES: Final = 1000
"""Shapes that are remembered; prose has as many as lines."""
_NUMBER = re.compile(r"(\d(?<![A-Za-z_@\d.]\d)(?:\d{0,2}(?:,\d{3})+(?!\d)(?:\.\d+)?|\d*(?:\.\d*)?)(?:[eE][-+]?\d+)?)")
"""A number, but for those in a name. It begins with a digit and not with a look back: so it is found much faster."""
_BASE: Final = 7_000_000
"""The first of the numbers that stand for a line's own while its shape is understood."""
_STAND_IN = re.compile(r"([-+]?)(7\d{6})(?:\.5)?")


class _Value(NamedTuple):
    """How a figure of a shape is found in a line."""

    name: str
    sign: str
    place: int
    """Of the number in the line; -1 where the shape itself has the value, as `nan`."""
    text: str
    varies: bool
    """Whether there are numbers of the line in the name."""


@dataclass(frozen=True)
class _Shape:
    """What is read from the lines of one shape, with stand-ins for its numbers."""

    entry: Entry
    values: tuple[_Value, ...]


class Shapes:
    """Understands lines, and remembers their shapes."""

    def __init__(self) -> None:
        self._shapes: dict[tuple[str, str], _Shape | None] = {}

    def entry(self, line: str) -> Entry | None:
        """The entry of a line that was cleaned; None where it says nothing of a training."""
        parts = _NUMBER.split(line)
        numbers = parts[1::2]
        kinds = "".join(["." if "." in each or "e" in each or "E" in each else "1" for each in numbers])
        key = (" ".join("\0".join(parts[::2]).split()), kinds)
        try:
            shape = self._shapes[key]
        except KeyError:
            shape = self._understood(parts, kinds)
            if len(self._shapes) >= _SHAPES:
                self._shapes.clear()
            self._shapes[key] = shape
        return None if shape is None else _filled(shape, numbers)

    def _understood(self, parts: list[str], kinds: str) -> _Shape | None:
        stand_ins = [f"{_BASE + index}" + (".5" if kind == "." else "") for index, kind in enumerate(kinds)]
        parts = list(parts)
        parts[1::2] = stand_ins
        entry = entry_of("".join(parts))
        return None if entry is None else _Shape(entry, tuple(_value(*each) for each in entry.values.items()))


def _filled(shape: _Shape, numbers: list[str]) -> Entry | None:
    """The entry of a line with these numbers."""
    told = shape.entry
    spot = told.place
    try:
        filled = Place(_counted(spot.step, numbers), _counted(spot.total, numbers), None, None, spot.in_epoch, spot.bar)
        if spot.epoch is not None:
            filled.epoch = float(_number(int(spot.epoch), numbers))
        filled.epochs = _counted(spot.epochs, numbers)
    except ValueError:
        return None
    values = {
        _restored(name, numbers) if varies else name: sign + numbers[place].replace(",", "") if place >= 0 else text
        for name, sign, place, text, varies in shape.values
    }
    losses, evals = ([_restored(name, numbers) for name in names] for names in (told.losses, told.evals))
    entry = Entry(filled, values, losses, evals, told.on_eval, told.only)
    for name in told.perplexities:
        with contextlib.suppress(ValueError):
            found = number(values[name])
            if found is not None and found > 0:
                loss = perplexity_loss(name, told.on_eval)
                values[loss], entry.derived = repr(math.log(found)), True
                (entry.evals if loss == EVAL_LOSS else entry.losses).append(loss)
    return entry


def _value(name: str, text: str) -> _Value:
    found = _STAND_IN.fullmatch(text)
    varies = _STAND_IN.search(name) is not None
    return _Value(name, found[1], int(found[2]) - _BASE, "", varies) if found else _Value(name, "", -1, text, varies)


def _restored(name: str, numbers: list[str]) -> str:
    """A name with the line's own numbers in it, as `expert 3 loss`."""
    return _STAND_IN.sub(lambda found: found[1] + _number(int(found[2]), numbers), name)


def _number(stand_in: int, numbers: list[str]) -> str:
    index = stand_in - _BASE
    return numbers[index].replace(",", "") if 0 <= index < len(numbers) else str(stand_in)


def _counted(stand_in: int | None, numbers: list[str]) -> int | None:
    return None if stand_in is None else whole(_number(stand_in, numbers))
