"""Counted things in words: `1 GPU`, `2 GPUs`, `1,000 samples`."""

from __future__ import annotations


def counted(number: int, thing: str, things: str = "") -> str:
    """A number and what it counts; `things` is its plural where that is not the word with an `s`."""
    return f"{number:,} {thing if number == 1 else things or thing + 's'}"
