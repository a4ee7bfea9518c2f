"""Patterns: which regular expressions could take for ever."""

from __future__ import annotations

import re._constants as constants  # type: ignore[import-not-found]
import re._parser as parser  # type: ignore[import-not-found]
from typing import Any

_REPEATS = (constants.MAX_REPEAT, constants.MIN_REPEAT)


def repeats_a_repetition(pattern: str) -> bool:
    """Whether something without an upper limit is repeated without one, as in `(a+)+`: on a text that does not match,
    the time doubles with each character.

    Raises:
        re.error: it is no regular expression.
    """
    return _endless(parser.parse(pattern), inside=False)


def _endless(part: Any, *, inside: bool) -> bool:
    """Whether there is an endless repetition within another in a part of what the parser found; `inside`: whether the
    part is within one."""
    part = getattr(part, "data", part)
    if isinstance(part, tuple) and len(part) == 2 and part[0] in _REPEATS:
        _, most, body = part[1]
        endless = most is constants.MAXREPEAT
        return (endless and inside) or _endless(body, inside=inside or endless)
    if isinstance(part, list | tuple):
        return any(_endless(one, inside=inside) for one in part)
    return False
