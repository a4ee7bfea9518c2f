"""Chosen metrics: the names that a person means, of all that there are."""

from __future__ import annotations

import re
import warnings
from collections.abc import Collection, Sequence

from vlmft_core.errors import VlmftError

_TOLD = 40


def chosen(patterns: Sequence[str], names: Collection[str], always: Collection[str] = ()) -> list[str]:
    """The names meant, each once, in the order asked for.

    Args:
        patterns: names, or regular expressions that are looked for in the names.
        names: all that there are.
        always: names that are taken even where there is nothing of that name.

    Raises:
        VlmftError: one of the patterns is no name and matches none, or is no regular expression.
    """
    found: dict[str, None] = {}
    for pattern in patterns:
        if pattern in names or pattern in always:
            matches = [pattern]
        else:
            try:
                expression = compiled(pattern)
            except VlmftError as error:
                raise VlmftError(f"--metric {error}") from None
            matches = [name for name in names if expression.search(name)]
        if not matches:
            raise VlmftError(f"--metric {pattern}: there is no such metric", _there_are(names))
        found |= dict.fromkeys(matches)
    return list(found)


def compiled(pattern: str) -> re.Pattern[str]:
    """A regular expression.

    Raises:
        VlmftError: it is none, or too deep.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # what a later Python may take `[[` for
            return re.compile(pattern)
    except (re.error, RecursionError, OverflowError) as error:
        raise VlmftError(f"{pattern}: no regular expression: {error}") from None


def _there_are(names: Collection[str]) -> str:
    if not names:
        return "there are none"
    more = f" and {len(names) - _TOLD} more, which `vlmft plot --list` names" if len(names) > _TOLD else ""
    return f"there are {', '.join(list(names)[:_TOLD])}{more}"
