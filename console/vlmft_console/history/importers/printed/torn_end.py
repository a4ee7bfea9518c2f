"""Torn end: whether the last line of a log, which no newline ends, was cut off within its last number.

A file may lack only its last newline, or be in the middle of being written, or be all that a crash has left. What lines
like it before it had in this place tells how long the number should be.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Final

_NUMBER = re.compile(rb"[-+]?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d*)?")
_PARTS = re.compile(rb"[-+]?(\d*)(?:(\.)(\d*))?(?:([eE])[-+]?(\d*))?")
_ENOUGH: Final = 8
"""Digits after the point beyond which nothing depends on one more."""


def whole_part(line: bytes, before: Iterable[bytes]) -> bytes:
    """A line without its last number, if it ends in one that is shorter than in all lines before it that are like it.

    Args:
        line: without its end.
        before: whole lines, the last few of them.
    """
    numbers = list(_NUMBER.finditer(line))
    if not numbers or numbers[-1].end() != len(line):
        return line
    words = _words(line, numbers)
    alike = []
    for other in before:
        theirs = list(_NUMBER.finditer(other))[: len(numbers)]
        if len(theirs) == len(numbers) and _words(other, theirs) == words:
            alike.append(theirs[-1][0])
    torn = bool(alike) and not any(_as_long(numbers[-1][0], each) for each in alike)
    return line[: numbers[-1].start()] if torn else line


def _words(line: bytes, numbers: list[re.Match[bytes]]) -> list[bytes]:
    """What stands before each of the numbers, however it is spaced."""
    starts = [0, *(number.end() for number in numbers)]
    return [b" ".join(line[at : number.start()].split()) for at, number in zip(starts, numbers, strict=False)]


def _as_long(number: bytes, other: bytes) -> bool:
    one, two = _PARTS.fullmatch(number), _PARTS.fullmatch(other)
    if one is None or two is None:
        return False
    if one[4] or two[4]:
        return bool(one[4]) and len(one[5]) >= len(two[5] or b"00")
    if one[2] or two[2]:
        return bool(one[2]) and len(one[3]) >= min(_ENOUGH, len(two[3] or b""))
    return len(one[1]) >= len(two[1])
