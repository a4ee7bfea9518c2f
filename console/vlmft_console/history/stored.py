"""Stored numbers: the parts of a column that lie in a file, and behind them what has come since, as one column."""

from __future__ import annotations

import math
import os
import tempfile
import weakref
from array import array
from bisect import bisect_right
from collections.abc import Iterable, Iterator
from typing import NoReturn, cast, overload
from zlib import crc32

_BLOCK = 512
"""Numbers that are read for one that is asked for."""
SHORT = 4096
"""Numbers of a column that is brought into memory at once: looking at single ones costs less then."""
_LONGEST = 1 << 16
"""Numbers that are read at once where all are."""


class ColumnFile:
    """A nameless file with columns in it, there for as long as one of them is: nobody can change it, or take it away.
    A process forked from this one has it too.

    Raises:
        OSError: there is no place for it.
    """

    def __init__(self) -> None:
        with tempfile.TemporaryFile() as file:
            self._descriptor = os.dup(file.fileno())
        weakref.finalize(self, os.close, self._descriptor)
        self._end = 0
        self._places: dict[tuple[int, int], int] = {}

    def __reduce__(self) -> NoReturn:
        raise TypeError("an open file cannot be pickled; a `Handover` takes columns to another process")

    def clear(self) -> None:
        """Begin anew; no column that was put in is there any more."""
        self._end = 0
        self._places.clear()

    def add(self, data: bytes | memoryview) -> int:
        """Put bytes at the end, and tell their place.

        Raises:
            OSError: there is no room for them.
        """
        place, rest = self._end, memoryview(data)
        while rest:
            done = os.pwrite(self._descriptor, rest, self._end)
            self._end, rest = self._end + done, rest[done:]
        return place

    def add_once(self, data: memoryview) -> int:
        """The same, of equal bytes once: most columns have the same steps."""
        looks = crc32(data), len(data)
        place = self._places.get(looks)
        if place is None or self.read(len(data), place) != bytes(data):
            place = self._places[looks] = self.add(data)
        return place

    def read(self, size: int, place: int) -> bytes:
        """So many bytes from a place on."""
        return os.pread(self._descriptor, size, place)


class Stored:
    """What an `array` can do, as far as columns need it; only what is looked at is brought into memory.

    A slice is an array of its own.

    Args:
        typecode: that of the array which was stored: `d` or `q`.
        file: where it lies; nobody else changes it.
        place: its first byte there.
        length: how many numbers.
    """

    def __init__(self, typecode: str, file: ColumnFile, place: int = 0, length: int = 0) -> None:
        self.typecode = typecode
        self._file = file
        self._parts = [(0, place)]
        """Of each part that lies together in the file, the index of its first number and its first byte there."""
        self._kept = length
        self._added: array[float] = array(typecode)
        self._block: tuple[int, array[float]] = (0, array(typecode))

    def __len__(self) -> int:
        return self._kept + len(self._added)

    @overload
    def __getitem__(self, at: int) -> float: ...
    @overload
    def __getitem__(self, at: slice) -> array[float]: ...
    def __getitem__(self, at: int | slice) -> float | array[float]:
        if isinstance(at, slice):
            return self._slice(*at.indices(len(self)))
        if at < 0:
            at += len(self)
        return self._one(at) if 0 <= at < self._kept else self._added[at - self._kept]

    def _one(self, at: int) -> float:
        begin, block = self._block
        if not begin <= at < begin + len(block):
            begin = at - at % _BLOCK
            block = self._stored(begin, min(begin + _BLOCK, self._kept))
            self._block = begin, block
        return block[at - begin]

    def _stored(self, start: int, end: int) -> array[float]:
        found: array[float] = array(self.typecode)
        number = bisect_right(self._parts, (start, math.inf)) - 1
        while start < end:
            first, place = self._parts[number]
            number += 1
            stop = min(end, self._parts[number][0]) if number < len(self._parts) else end
            found.frombytes(self._file.read((stop - start) * found.itemsize, place + (start - first) * found.itemsize))
            start = stop
        return found

    def _slice(self, start: int, stop: int, stride: int) -> array[float]:
        end = min(stop, self._kept)
        if stride == 1:
            found = self._stored(start, end)
        else:
            found = array(self.typecode, [self._one(at) for at in range(start, end, stride)])
        rest = start + -(-max(0, self._kept - start) // stride) * stride
        found.extend(self._added[rest - self._kept : max(0, stop - self._kept) : stride])
        return found

    def __iter__(self) -> Iterator[float]:
        for start in range(0, self._kept, _LONGEST):
            yield from self._stored(start, min(start + _LONGEST, self._kept))
        yield from self._added

    def append(self, value: float) -> None:
        """Put one at the end."""
        self._added.append(value)

    def extend(self, values: Iterable[float]) -> None:
        """Put more at the end."""
        self._added.extend(values)

    def __delitem__(self, at: slice) -> None:
        """Keep the first ones: `del numbers[length:]`."""
        start, _, _ = at.indices(len(self))
        del self._added[max(0, start - self._kept) :]
        self._kept = min(self._kept, start)
        self._block = (0, array(self.typecode))  # other numbers may come to be stored in their place

    def store(self) -> None:
        """Put what is not in the file yet there.

        Raises:
            OSError: there is no room for it.
        """
        if self._added:
            place = self._file.add_once(memoryview(self._added).cast("B"))
            self._parts = [*(part for part in self._parts if part[0] < self._kept), (self._kept, place)]
            self._kept += len(self._added)
            self._added, self._block = array(self.typecode), (0, array(self.typecode))

    @property
    def content(self) -> object:
        """Where its numbers are: two columns of which this is equal have the same."""
        return self._file, tuple(self._parts), self._kept, self._added.tobytes()

    def pieces(self) -> Iterator[array[float]]:
        """All of it, part by part."""
        for start in range(0, self._kept, _LONGEST):
            yield self._stored(start, min(start + _LONGEST, self._kept))
        yield self._added


def put_away(numbers: array[float] | Stored, file: ColumnFile) -> array[float]:
    """A column, with all of it in a file unless it is short.

    Args:
        numbers: the column; it must not be used any more, what is returned takes its place.
        file: where it goes, if it is not in one yet.

    Raises:
        OSError: there is no room for it.
    """
    if not isinstance(numbers, Stored):
        if len(numbers) <= SHORT:
            return numbers
        numbers, added = Stored(numbers.typecode, file), numbers
        numbers.extend(added)
    numbers.store()
    return cast("array[float]", numbers)  # it can do what columns need of one
