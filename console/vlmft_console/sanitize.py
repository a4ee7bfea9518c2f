"""The one gate for text that was not written here: names, log lines, messages."""

from __future__ import annotations

import re

# C0 but newline and tab, DEL and C1; the bidi controls, which can reorder what a reader sees; lone surrogates.
_UNSAFE = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069\ud800-\udfff]")


def sanitize(text: str) -> str:
    """`text` with every character that could steer a terminal replaced by its visible escape (`\\x1b`, `\\u202e`)."""
    return _UNSAFE.sub(_escape, text)


def _escape(match: re.Match[str]) -> str:
    code = ord(match[0])
    return f"\\x{code:02x}" if code < 256 else f"\\u{code:04x}"
