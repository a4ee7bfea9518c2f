"""Keys that work now: one list for the footer, the help screen and the command palette."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from textual.app import App
from textual.binding import Binding
from textual.dom import DOMNode
from textual.keys import format_key
from textual.screen import Screen

_TEXTUALS = {
    "app.focus_next": "next part",
    "app.focus_previous": "previous part",
    "screen.copy_text": "",
    "scroll_up": "up",
    "scroll_down": "down",
    "scroll_left": "left",
    "scroll_right": "right",
    "scroll_home": "start",
    "scroll_end": "end",
    "page_up": "page up",
    "page_down": "page down",
    "page_left": "page left",
    "page_right": "page right",
}
"""Our words for what Textual binds on every screen; empty for what needs no mention."""


@dataclass(frozen=True)
class Key:
    """One thing that keys can do."""

    keys: tuple[str, ...]
    """Textual's names of the keys."""
    display: str
    """The keys as people write them: `j down`."""
    description: str
    """A word or two."""
    explained: str
    """A sentence; empty where the description says it all."""
    shown: bool
    """Whether the footer names it: not while the node counts the action among its `idle_actions`, which then do no more
    than say why they cannot be done."""
    everywhere: bool
    """Whether it belongs to the app and not to the active screen."""
    action: str
    node: DOMNode
    """Where the action is looked up."""


def keys_of(screen: Screen[object]) -> list[Key]:
    """What keys do on `screen` in its present state: the focused widget's first, then the screen's, then the app's.

    Keys without a description are left out.
    """
    app = screen.app
    groups: dict[tuple[DOMNode, str], list[Binding]] = {}
    for node, binding, enabled, _ in screen.active_bindings.values():
        if enabled and _description(binding) and not binding.system:
            groups.setdefault((node, binding.action), []).append(binding)
    return [
        Key(
            keys=tuple(binding.key for binding in bindings),
            display=_display(app, bindings),
            description=_description(bindings[0]),
            explained=bindings[0].tooltip,
            shown=any(binding.show for binding in bindings) and action not in getattr(node, "idle_actions", ()),
            everywhere=node is app,
            action=action,
            node=node,
        )
        for (node, action), bindings in groups.items()
    ]


def _description(binding: Binding) -> str:
    return _TEXTUALS.get(binding.action, binding.description)


def _display(app: App[object], bindings: list[Binding]) -> str:
    own: Mapping[str, str] = getattr(app, "own_keys", {})
    shown: dict[str, None] = {}  # in order, each once
    for binding in bindings:
        pressed = own.get(binding.key)
        shown[format_key(pressed) if pressed else app.get_key_display(binding)] = None
    return " ".join(shown)
