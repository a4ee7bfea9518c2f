"""Patterns: those that could take for ever are told from those that only look like it."""

from __future__ import annotations

import pytest

from vlmft_core.preset.pattern import could_take_for_ever

HARMLESS = (
    "",
    r".*q_proj",
    r"(\d+\.)+q_proj",
    r"(?:[a-z_]+\.)+\d+",
    r"model\.language_model\.layers\.(1\d|2[0-7])\..*(q|v)_proj",
    r"^(?!.*visual).*\.(q|k|v|o)_proj$",
    r"(?:layers\.\d{1,3}\.)+mlp",
    r"(a{2})+",
    r"(ab|ac)*d",
    r"(\w|\d)+\.",
    r"(?i:a+B)+",
    r"(?P<name>q|k)_proj(?P=name)?",
    r"(a)?(?(1)b+|c+)d",
    r"(?>a+)b",
    r"[a-z]*\d*[a-z]*",
    r"a{1000}",
)
ENDLESS = (
    r"(a+)+b",
    r"(a*)*b",
    r"(\w+\.?)+_projj",
    r"([a-z_]+\.?)+proj",
    r"(a|a)*b",
    r"((a*)?b)+c",
    r"(a(|)b?)*c",
    r"(.*\.)+q_proj",
    r"(a|ab|ba)*c",
    r"(?i:a+A?)+b",
    r"(\w{1,3})+x",
    r"(?=(a+)+b)c",
    r"((ab)+)+c",
    "(" + "x" * 70 + "a+)+b",
)


@pytest.mark.parametrize("pattern", HARMLESS)
def test_what_cannot_take_for_ever_is_let_through(pattern: str) -> None:
    assert not could_take_for_ever(pattern)


@pytest.mark.parametrize("pattern", ENDLESS)
def test_what_can_take_the_same_in_two_ways_again_and_again_is_refused(pattern: str) -> None:
    assert could_take_for_ever(pattern)
