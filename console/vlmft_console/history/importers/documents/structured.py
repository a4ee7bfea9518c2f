"""Structured documents that are no JSON: YAML, TOML, and what Python prints of its dicts and lists."""

from __future__ import annotations

import json
import re
import tomllib
from collections.abc import Callable
from typing import Any, Final, NamedTuple

import yaml

_LOADER: Final[Any] = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_LARGEST: Final = 8 << 20
"""Characters of a document: YAML takes a second a million."""
_SHARE: Final = 0.95
"""Of the lines of YAML or TOML so many look like it."""
_YAML = re.compile(
    rb"""\s*(?:-\s+)*["']?[A-Za-z_][\w./ -]{0,80}["']?\s*:(?:\s+(?:[^\s{]\S*|"[^"]*"|'[^']*'|\[.*\]))?"""
    rb"""|\s*(?:#.*|---)?|\s*-\s+(?:[\[{].*[\]}]|[-+.\d][-+.\deE]*)\s*"""
)
_TOML = re.compile(rb"""\[\[?[\w.-]{1,80}\]\]?\s*|["']?[\w./-]{1,80}["']?\s*=\s*(?:\S+|["'[{].*)|\s*(?:#.*)?""")
_PYTHON = re.compile(rb"\s*(?:\{\s*'[^'\n]{1,200}'\s*:\s*[\[{]|\[\s*\{\s*')")
_BARE = re.compile(r"\b(?:nan|inf|None|True|False)\b")
_AS_JSON: Final = {"nan": "NaN", "inf": "Infinity", "None": "null", "True": "true", "False": "false"}


class Structure(NamedTuple):
    """A kind of document."""

    format: str
    parse: Callable[[str], Any]
    """Raises ValueError where a text is none."""


def structure_of(head: bytes) -> Structure | None:
    """What a text may be, by its beginning."""
    if _PYTHON.match(head):
        return Structure("python_history", _python)
    lines = head.split(b"\n")[:-1] or [head]
    for pattern, structure in ((_TOML, Structure("toml_history", _toml)), (_YAML, Structure("yaml_history", _yaml))):
        if sum(pattern.fullmatch(line.rstrip()) is not None for line in lines) >= _SHARE * len(lines):
            return structure
    return None


def _python(text: str) -> Any:
    return json.loads(_BARE.sub(lambda found: _AS_JSON[found[0]], text).replace("'", '"'))


def _toml(text: str) -> Any:
    return tomllib.loads(text)


def _yaml(text: str) -> Any:
    if len(text) > _LARGEST:
        raise ValueError("too large")
    try:
        return _with_names(yaml.load(text, Loader=_LOADER))  # the safe loader: plain values alone
    except (yaml.YAMLError, RecursionError):
        raise ValueError("no YAML") from None


def _with_names(value: Any) -> Any:
    """The same with every key a text, as in JSON."""
    if isinstance(value, dict):
        return {str(name): _with_names(inner) for name, inner in value.items()}
    return [_with_names(inner) for inner in value] if isinstance(value, list) else value
