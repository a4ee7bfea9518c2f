"""Alike steps: the scalars of step after step in an event file, which differ in times, steps and values alone.

A trainer writes the same tags at every step, so the bytes between these figures are the same, too. Two patterns over
all of them at once, one for the checksums and one for the figures, read them twice as fast as event by event.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from typing import Final

from vlmft_console.history.importers.stores import wire
from vlmft_console.history.importers.stores.crc32c import MASK, checksum
from vlmft_console.history.importers.stores.scalar_events import STEP_AT, STEP_KEY, TIME_KEY, ScalarEvents

HEADER: Final = 12
FOOTER: Final = 4
_FEWEST: Final = 8
"""Steps that are worth it."""
_MOST: Final = 50
"""Scalars of a step."""
Alike = tuple[int, dict[str, float], float]
"""Step, tags and values, the time of the last one."""


class AlikeSteps:
    """Reads steps that are like one which was read event by event.

    Args:
        data: bytes of the file.
        start: where the first event of that step begins in it.
        end: where the last one ends.
        events: what has read them.

    Raises:
        ValueError: they are of a kind that is read one by one.
    """

    def __init__(self, data: bytes, start: int, end: int, events: ScalarEvents) -> None:
        whole, parts, constants = "<", "<", []
        self._tags: list[str] = []
        self.stride = end - start
        while start < end and len(self._tags) < _MOST:
            size = int.from_bytes(data[start : start + 8], "little")
            message = data[start + HEADER : start + HEADER + size]
            found = events.layout(message)
            if found is None:
                raise ValueError("of no layout that is known")
            layout, before, after, tag = found
            whole += f"{HEADER}s{size}sI"
            parts += f"{HEADER + 1}sd{layout.step_end - STEP_AT + 1}s{len(before)}sf{len(after)}s{FOOTER}x"
            constants.append((data[start : start + HEADER] + TIME_KEY, before, after))
            self._tags.append(tag)
            start += HEADER + size + FOOTER
        if start != end:
            raise ValueError("too many")
        self._whole, self._parts = struct.Struct(whole), struct.Struct(parts)
        self._keys, self._befores, self._afters = zip(*constants, strict=True)

    def read(self, data: bytes, at: int) -> Iterator[Alike]:
        """The steps from a place on, up to the first that is not alike, is damaged or not whole."""
        count = (len(data) - at) // self.stride
        if count < _FEWEST:
            return
        part = memoryview(data)[at : at + count * self.stride]
        keys, befores, afters, tags = self._keys, self._befores, self._afters, self._tags
        scalars = len(tags)
        for sums, figures in zip(self._whole.iter_unpack(part), self._parts.iter_unpack(part), strict=True):
            if figures[0::6] != keys or figures[3::6] != befores or figures[5::6] != afters:
                return
            written = figures[2::6]
            if written.count(written[0]) != scalars or written[0][:1] != STEP_KEY:
                return
            for message, told in zip(sums[1::3], sums[2::3], strict=True):
                crc = checksum(message)
                if (((crc >> 15) | (crc << 17)) + MASK) & 0xFFFFFFFF != told:
                    return
            step, end = wire.varint(written[0], 1)
            if end != len(written[0]):
                return
            yield wire.signed(step), dict(zip(tags, figures[4::6], strict=True)), figures[-5]
