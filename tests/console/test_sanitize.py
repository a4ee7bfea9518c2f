from __future__ import annotations

import unicodedata

from hypothesis import given
from hypothesis import strategies as st

from vlmft_console.sanitize import sanitize


def test_escape_sequences_become_visible() -> None:
    assert sanitize("\x1b[31mred\x07") == r"\x1b[31mred\x07"
    assert sanitize("a\u202eb") == r"a\u202eb"
    assert sanitize("a\r\nb\tc") == "a\\x0d\nb\tc"


@given(st.text(st.characters(exclude_categories=[])))
def test_nothing_that_steers_a_terminal_survives(text: str) -> None:
    clean = sanitize(text)
    assert all(unicodedata.category(char) not in ("Cc", "Cs") or char in "\n\t" for char in clean)
    assert sanitize(clean) == clean
