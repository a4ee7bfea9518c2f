"""docs/console.md, the page on the console, beside the console."""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from textual.binding import Binding
from textual.dom import DOMNode
from textual.keys import format_key

import vlmft_console.app
from vlmft_console.app.app import VlmftConsole
from vlmft_console.app.settings import Settings

PAGE = (Path(__file__).parents[2] / "docs" / "console.md").read_text(encoding="utf-8")


def nodes() -> Iterator[type[DOMNode]]:
    """Every class of the app that binds keys of its own."""
    for module in pkgutil.walk_packages(vlmft_console.app.__path__, f"{vlmft_console.app.__name__}."):
        for node in vars(importlib.import_module(module.name)).values():
            here = isinstance(node, type) and issubclass(node, DOMNode) and node.__module__ == module.name
            if here and "BINDINGS" in vars(node):
                yield node


def row(binding: Binding) -> str:
    """How the page writes a binding."""
    keys = " ".join(f"`{format_key(key)}`" for key in binding.key.split(","))
    return f"| {keys} | {binding.tooltip or binding.description} |"


@pytest.mark.parametrize("node", sorted(nodes(), key=lambda node: node.__qualname__), ids=lambda node: node.__name__)
def test_every_key_stands_on_the_page_with_what_it_does(node: type[DOMNode]) -> None:
    missing = [row(binding) for binding in node.BINDINGS if isinstance(binding, Binding) and row(binding) not in PAGE]
    assert not missing


def test_the_app_itself_is_among_those_that_bind_keys() -> None:
    assert VlmftConsole in set(nodes())


def test_every_setting_stands_on_the_page() -> None:
    assert not [name for name in Settings.__dataclass_fields__ if f"`{name}`" not in PAGE]
