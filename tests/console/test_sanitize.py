from __future__ import annotations

import unicodedata

from hypothesis import given
from hypothesis import strategies as st

from vlmft_console.sanitize import _SECRETS, redact, sanitize


def test_escape_sequences_become_visible() -> None:
    assert sanitize("\x1b[31mred\x07") == r"\x1b[31mred\x07"
    assert sanitize("a\u202eb") == r"a\u202eb"
    assert sanitize("a\r\nb\tc") == "a\\x0d\nb\tc"


@given(st.text(st.characters(exclude_categories=[])))
def test_nothing_that_steers_a_terminal_survives(text: str) -> None:
    clean = sanitize(text)
    assert all(unicodedata.category(char) not in ("Cc", "Cs") or char in "\n\t" for char in clean)
    assert sanitize(clean) == clean


_SECRETIVE = st.lists(
    st.sampled_from(
        [
            *("a '\"=:/@\n\r\x1bé\u202e"),
            *("hf_" + "x" * 16, "://", "Bearer ", "b" * 16, "AUTHORIZATION", "authorization", "A_TOKEN", "API_KEY"),
            *("api_key", "secret", "passwd", "Password", "PASSWORD", "SECRET", "APIKEY", "hub_token"),
        ]
    ),
    max_size=40,
)


@given(_SECRETIVE)
def test_lines_together_become_what_each_of_them_alone_would(words: list[str]) -> None:
    lines = "".join(words).split("\n")
    assert sanitize("\n".join(lines)) == "\n".join(map(sanitize, lines))


@given(_SECRETIVE)
def test_no_secret_is_passed_over_for_the_look_that_goes_before(words: list[str]) -> None:
    text = "".join(words)
    told = text
    for _, secret in _SECRETS:
        told = secret.sub(r"\1[redacted]", told)
    assert redact(text) == told
