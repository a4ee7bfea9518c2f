"""Sanitizing: the one gate for text that was not written here: names, log lines, messages."""

from __future__ import annotations

import os
import re
import socket
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any
from urllib.parse import quote

# C0 but newline and tab, DEL and C1; the bidi controls, which can reorder what a reader sees; lone surrogates; what XML
# has no place for.
_UNSAFE = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069\ud800-\udfff\ufffe\uffff]"
)

_SAFE_ASCII = bytes([*b"\n\t", *range(0x20, 0x7F)])

_HALVES = re.compile("[\ud800-\udfff]")

_SMALL = "(?:api|access|secret)_key|(?:hub|hf|access|auth)_token|secret|password|passwd"

_SETTING = re.compile("(?:TOKEN|KEY|SECRET|PASSWORD|PASSWD|token|key|secret|password|passwd)[\"']?[ ]?[=:]")

# What follows group 1 is secret. Beside each pattern what every text that it finds something in passes: a log of any
# size is looked through for that, in a tenth of the time.
_SECRETS: tuple[tuple[Callable[[str], object], re.Pattern[str]], ...] = (
    # Hugging Face tokens, wherever they stand; in names such as hf_hub_download no part is that long.
    (lambda text: "hf_" in text, re.compile(r"(\b)hf_[A-Za-z0-9]{16,}")),
    # The user and the password in an address.
    (lambda text: "://" in text, re.compile(r"(://)[^/\s@]+(?=@)")),
    (
        lambda text: "author" in text.lower(),
        re.compile(r"""(\bauthorization["']?[=:][ ]?["']?(?:[a-z]+[ ])?)[^\s"']+""", re.IGNORECASE),
    ),
    (lambda text: "Bearer " in text, re.compile(r"(\bBearer )[\w.~+/=-]{16,}")),
    # Environment variables by how their names end, in capitals: eos_token=</s> is no secret. Then the few names in
    # small letters that mean nothing else, but not of a file that something is said of: `/etc/passwd: not a preset`.
    # A quoted value ends at its quote, or with the line.
    (
        _SETTING.search,
        re.compile(
            rf"""((?:TOKEN|_KEY|APIKEY|SECRET|PASSWORD|PASSWD|(?<!/)(?:{_SMALL})|(?<=/)(?:{_SMALL})(?=["']?[ ]?=))"""
            r"""["']?[ ]?[=:][ ]?(["'])?)(?(2).*?(?=\2|$)|[^\s"']+)""",
            re.MULTILINE,
        ),
    ),
)


def sanitize(text: str) -> str:
    """`text` without secrets, and every character that could steer a terminal as an escape (`\\x1b`, `\\u202e`).

    Lines together become what each of them alone would.
    """
    text = redact(text)
    if text.isascii() and not text.encode("ascii").translate(None, _SAFE_ASCII):
        return text
    return _UNSAFE.sub(_escape, text)


def json_safe(text: str) -> str:
    """JSON that says the same as `text`, with every character that could steer a terminal as an escape."""
    return _UNSAFE.sub(lambda found: f"\\u{ord(found[0]):04x}", text)


def redact(text: str) -> str:
    """`text` with tokens, passwords and keys replaced by `[redacted]`; what they are called stays readable."""
    for may_be, secret in _SECRETS:
        if may_be(text):
            text = secret.sub(r"\1[redacted]", text)
    return text


def redacted(value: Any) -> Any:
    """The same for every text in a JSON-able value; halves of characters, which JSON cannot hold, become escapes."""
    if isinstance(value, str):
        return _HALVES.sub(_escape, redact(value))
    if isinstance(value, Mapping):
        return {_HALVES.sub(_escape, str(key)): redacted(item) for key, item in value.items()}
    return [redacted(item) for item in value] if isinstance(value, list) else value


def _escape(match: re.Match[str]) -> str:
    code = ord(match[0])
    return f"\\x{code:02x}" if code < 256 else f"\\u{code:04x}"


def link_to(path: Path) -> str:
    """`file://host/…`, for a terminal that opens what is clicked (OSC 8): the host tells one that shows several
    machines whose file it is. All but plain characters are quoted, so that no name steers the terminal."""
    return f"file://{quote(socket.gethostname())}{quote(os.fsencode(path.absolute()))}"
