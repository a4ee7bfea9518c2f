"""Sanitizing: the one gate for text that was not written here: names, log lines, messages."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

# C0 but newline and tab, DEL and C1; the bidi controls, which can reorder what a reader sees; lone surrogates.
_UNSAFE = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069\ud800-\udfff]")

# What follows group 1 is secret.
_SECRETS = (
    # Hugging Face tokens, wherever they stand; in names such as hf_hub_download no part is that long.
    re.compile(r"(\b)hf_[A-Za-z0-9]{16,}"),
    # The user and the password in an address.
    re.compile(r"(://)[^/\s@]+(?=@)"),
    re.compile(r"""(\bauthorization["']?[=:][ ]?["']?(?:[a-z]+[ ])?)[^\s"']+""", re.IGNORECASE),
    re.compile(r"(\bBearer )[\w.~+/=-]{16,}"),
    # Environment variables by how their names end, in capitals: eos_token=</s> is no secret. Then the few names in
    # small letters that mean nothing else. A quoted value ends at its quote, or with the line.
    re.compile(
        r"""((?:TOKEN|_KEY|APIKEY|SECRET|PASSWORD|PASSWD|(?:api|access|secret)_key|(?:hub|hf|access|auth)_token"""
        r"""|secret|password|passwd)["']?[ ]?[=:][ ]?(["'])?)(?(2).*?(?=\2|$)|[^\s"']+)""",
        re.MULTILINE,
    ),
)


def sanitize(text: str) -> str:
    """`text` without secrets, and every character that could steer a terminal as an escape (`\\x1b`, `\\u202e`)."""
    return _UNSAFE.sub(_escape, redact(text))


def redact(text: str) -> str:
    """`text` with tokens, passwords and keys replaced by `[redacted]`; what they are called stays readable."""
    for secret in _SECRETS:
        text = secret.sub(r"\1[redacted]", text)
    return text


def redacted(value: Any) -> Any:
    """The same for every text in a JSON-able value."""
    if isinstance(value, str):
        return redact(value)
    if isinstance(value, Mapping):
        return {key: redacted(item) for key, item in value.items()}
    return [redacted(item) for item in value] if isinstance(value, list) else value


def _escape(match: re.Match[str]) -> str:
    code = ord(match[0])
    return f"\\x{code:02x}" if code < 256 else f"\\u{code:04x}"
