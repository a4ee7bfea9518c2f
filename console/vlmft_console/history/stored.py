"""Stored numbers: the part of a column that lies in a file, and behind it what has come since, as one column."""

from __future__ import annotations

from array import array
from collections.abc import Iterable, Iterator
from typing import overload


class Stored:
    """What an `array` can do, as far as columns need it; only what is looked at is brought into memory.

    A slice is an array of its own.

    Args:
        typecode: that of the array which was stored: `d` or `q`.
        stored: its bytes, which nobody changes.
    """

    def __init__(self, typecode: str, stored: memoryview) -> None:
        self.typecode = typecode
        self._bytes = stored
        self._stored: memoryview[float] | memoryview[int] = stored.cast("q" if typecode == "q" else "d")
        self._kept = len(self._stored)
        self._added: array[float] = array(typecode)

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
        value: float = self._stored[at] if 0 <= at < self._kept else self._added[at - self._kept]
        return value

    def _slice(self, start: int, stop: int, stride: int) -> array[float]:
        found: array[float] = array(self.typecode)
        end = min(stop, self._kept)
        if stride > 1:
            found.extend(self._stored[start:end:stride])
        elif start < end:
            size = self._stored.itemsize
            found.frombytes(self._bytes[start * size : end * size])
        rest = start + -(-max(0, self._kept - start) // stride) * stride
        found.extend(self._added[rest - self._kept : max(0, stop - self._kept) : stride])
        return found

    def __iter__(self) -> Iterator[float]:
        yield from self._stored[: self._kept]
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

    def pieces(self) -> tuple[memoryview, memoryview]:
        """Its bytes, one part after the other."""
        size = self._stored.itemsize
        return self._bytes[: self._kept * size], memoryview(self._added).cast("B")
