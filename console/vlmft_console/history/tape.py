"""Tape: all records of a log in a tenth of the memory that they take as objects, in blocks had one by one."""

from __future__ import annotations

import zlib

import orjson

from vlmft_core.run_folder.events import Record

BLOCK = 1000
"""Records of one block."""


class Tape:
    """Records in order; added at the end, read by the block."""

    def __init__(self) -> None:
        self._blocks: list[bytes] = []
        self._open: list[Record] = []
        self._read: tuple[int, list[Record]] = (-1, [])

    def __len__(self) -> int:
        return len(self._blocks) * BLOCK + len(self._open)

    def add(self, records: list[Record]) -> None:
        """Add records at the end."""
        self._open += records
        while len(self._open) >= BLOCK:
            self._blocks.append(zlib.compress(orjson.dumps(self._open[:BLOCK]), 1))
            del self._open[:BLOCK]

    def block(self, number: int) -> list[Record]:
        """Block `number`: the records from `number * BLOCK` on, up to `BLOCK` of them. Not to be changed."""
        if number == len(self._blocks):
            return self._open
        if self._read[0] != number:
            self._read = number, orjson.loads(zlib.decompress(self._blocks[number]))
        return self._read[1]
