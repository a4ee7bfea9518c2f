"""JPEG damage that shows without decoding: a missing end, marks and zeros where its compressed data cannot have them.

JPEG has no checksum. Compressed data has FF only before 00 or a restart mark, so a part of a file that was overwritten
shows mostly; a single wrong byte hardly ever does. Zeros count only where no picture can have them: what is whole must
never be refused.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

_END: Final = b"\xff\xd9"
_MARK: Final = re.compile(rb"\xff[^\0\xff]")
_BASELINE: Final = (0xC0, 0xC1)
_RESTARTS: Final = range(0xD0, 0xD8)
_BARE: Final = (*_RESTARTS, 0xD9)
_HUFFMAN, _INTERVAL, _SCAN = 0xC4, 0xDD, 0xDA
_BEHIND_A_SCAN: Final = (_HUFFMAN, 0xCC, _SCAN, 0xD9, 0xDB, 0xDC, _INTERVAL, *range(0xE0, 0xF0), 0xFE)
_ZEROS: Final = bytes(64)
"""More than two blocks of pixels take, were each of their codes as short as can be."""


def ends_well(content: bytes) -> bool:
    """Whether a file ends with its end mark; zeros behind that do no harm."""
    return content[-64:].rstrip(b"\0").endswith(_END)


def jpeg_fault(content: bytes) -> str:
    """What shows a JPEG to be cut short or damaged, in words; empty where nothing does."""
    interval = components = restarts = scan = coded = 0
    last, judged = -1, False  # the end mark, and whether zeros in the data to come are damage
    shortest: dict[int, int] = {}
    for mark, body, start, end in _segments(content):
        # Zeros before a mark only fill up: decoders pass over them.
        if judged and _ZEROS in content[coded:start].rstrip(b"\0"):
            return "damaged within: zeros stand in the place of its pixels"
        coded, judged = end, judged and mark in _RESTARTS
        if mark in _RESTARTS:
            if scan and (not interval or mark != _RESTARTS[restarts % len(_RESTARTS)]):
                return "damaged within: its restart marks are out of order"
            restarts += 1
        elif scan and mark not in _BEHIND_A_SCAN:
            return "damaged within: a mark stands in its pixels that can stand in none"
        elif mark == _INTERVAL:
            interval = int.from_bytes(body[:2])
        elif mark == _HUFFMAN:
            shortest |= _shortest_codes(body)
        elif mark in _BASELINE:
            components = int.from_bytes(body[5:6])
        elif mark == _SCAN:
            scan, restarts = end, 0
            if last < scan:
                last = content.find(_END, scan)
            if last < 0 and not ends_well(content):
                return "its end is missing: it was cut short"
            # Where the shortest code ends a block, all codes of even pixels, or of a ramp, may be zeros.
            ends_block = shortest.get(16 + int.from_bytes(body[2:3]) % 16) == 0
            judged = 0 < components == int.from_bytes(body[:1]) and not ends_block
    return ""


def _segments(content: bytes) -> Iterator[tuple[int, bytes, int, int]]:
    """(mark, what it holds, where it starts and ends) of a file's segments, restart marks and end mark."""
    mark, at = 0, 2
    while mark != _END[1] and (found := _MARK.search(content, at)):
        mark, at = found[0][1], found.end()
        size = 0 if mark in _BARE else int.from_bytes(content[at : at + 2])
        yield mark, content[at + 2 : at + size], found.start(), at + size
        at += size


def _shortest_codes(body: bytes) -> dict[int, int]:
    """What the code of zeros alone stands for in each Huffman table of a segment, by the table's class and number."""
    found, at = dict[int, int](), 0
    while at + 17 < len(body):
        found[body[at]] = body[at + 17]
        at += 17 + sum(body[at + 1 : at + 17])
    return found
