"""Errors told in one line."""

from __future__ import annotations

import pytest

from vlmft_core.errors import first_line


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (ValueError("one"), "one"),
        (OSError("\n  one\ntwo"), "one"),
        (KeyError(), "KeyError"),
        (RuntimeError(" \n"), "RuntimeError"),
    ],
)
def test_an_error_is_its_first_line_or_its_kind(error: Exception, said: str) -> None:
    assert first_line(error) == said
