"""Own keys: what a person presses instead of the console's; this is loaded where `console.yaml` has some."""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Iterator, Mapping
from difflib import get_close_matches
from functools import cache

from textual.binding import Binding
from textual.dom import DOMNode
from textual.keys import format_key

import vlmft_console.app
from vlmft_core.errors import VlmftError

_MODIFIERS = ("ctrl+", "alt+", "shift+")
_SAME = {"ctrl+h": "backspace", "ctrl+i": "tab", "ctrl+m": "enter", "ctrl+[": "escape"}
"""By a key what terminals send in its place."""
_NAMED = ("enter", "escape", "tab", "space", "backspace", "delete", "insert", "home", "end", "pageup", "pagedown", "up",
          "down", "left", "right", *(f"f{number}" for number in range(1, 25)))  # fmt: skip


def own_keys(wanted: Mapping[str, str]) -> dict[str, str]:
    """Which key means which of the console's, by Textual's names. A key whose work moved elsewhere means nothing, "".

    Args:
        wanted: by a key of the console the one to press instead; `?`, `ctrl+g` or `page_down` alike.

    Raises:
        VlmftError: one of them is no key, none of the console's, or would do two things.
    """
    moved = {_named(key): _named(own) for key, own in wanted.items()}
    bound = _bound_keys()
    for key, own in moved.items():
        if key not in bound:
            near = get_close_matches(key, bound, 1)
            hint = f"did you mean {format_key(near[0])}?" if near else "docs/console.md has them all"
            raise VlmftError(f"{format_key(key)} is none of the console's keys", hint)
        if own in bound and own not in moved and own != key:
            raise VlmftError(f"{format_key(own)} does something else here", "take another, or move that one too")
    if len(set(moved.values())) < len(moved):
        raise VlmftError("two keys of the console are moved to the same one", "give each one of its own")
    return {**dict.fromkeys(moved, ""), **{own: key for key, own in moved.items()}}


def _named(key: str) -> str:
    """Textual's name of a key that a person wrote.

    Raises:
        VlmftError: there is no such key.
    """
    modifiers = ""
    rest = key.strip()
    while prefix := next((each for each in _MODIFIERS if rest.lower().startswith(each)), ""):
        modifiers, rest = modifiers + prefix, rest[len(prefix) :]
    if len(rest) == 1 and "ctrl+" in modifiers:
        rest = rest.lower()
    if same := _SAME.get(modifiers + rest):
        return same
    if len(rest) == 1 and rest.isalpha() and modifiers == "shift+":
        raise VlmftError(f"{key!r} is never sent", f'write "{rest.upper()}"')
    if len(rest) == 1 and rest.isprintable():
        # a comma stands between the keys of a binding
        return modifiers + ("comma" if rest == "," else next(iter(Binding.make_bindings([(rest, "")]))).key)
    name = {"esc": "escape", "pgup": "pageup", "pgdn": "pagedown", "⏎": "enter"}.get(rest.lower(), rest.lower())
    if name in _NAMED or name in _bound_keys():
        return modifiers + name
    raise VlmftError(f"{key!r} is no key", 'keys are written "x", "X", "?", "f6", "ctrl+g", "pagedown"')


@cache
def _bound_keys() -> frozenset[str]:
    """Every key that a screen or widget of the console binds; all of them are loaded for it."""
    return frozenset(_bindings())


def _bindings() -> Iterator[str]:
    for module in pkgutil.walk_packages(vlmft_console.app.__path__, f"{vlmft_console.app.__name__}."):
        for node in vars(importlib.import_module(module.name)).values():
            if isinstance(node, type) and issubclass(node, DOMNode):
                for binding in vars(node).get("BINDINGS", ()):
                    keys = binding.key if isinstance(binding, Binding) else binding[0]
                    yield from (key.strip() for key in keys.split(","))
