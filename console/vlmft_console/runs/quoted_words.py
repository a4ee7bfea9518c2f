"""Quoted words: what a person types on a line of several words, some of which hold spaces."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Final

from vlmft_core.errors import VlmftError

_WORD: Final = re.compile(r'(?:"[^"]*"|[^\s"])+')


def quoted_words(text: str) -> list[str]:
    """The words between spaces; those between double quotes stay together, and the quotes are taken away.

    Raises:
        VlmftError: a quote has no second one.
    """
    if text.count('"') % 2:
        raise VlmftError(f"{text}: a double quote has no second one", 'words with spaces stand as "a b"')
    return [word for found in _WORD.findall(text) if (word := found.replace('"', ""))]


def quoted(words: Iterable[str]) -> str:
    """A line of which `quoted_words` are these."""
    return " ".join(f'"{word}"' if any(map(str.isspace, word)) else word for word in words)
