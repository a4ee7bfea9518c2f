"""Textual, of any version in the range that pyproject.toml allows: what of its inner life the app touches."""

from __future__ import annotations

import ast
import inspect
import pkgutil
import textwrap
from functools import cache
from importlib import import_module

import vlmft_console.app

REPLACED = {
    "VlmftConsole._background_screens",
    "VlmftConsole._display",
    "VlmftConsole._fatal_error",
    "VlmftConsole._handle_exception",
    "Palette._action_command_list",
    "_PrintableTextArea._on_paste",
}
"""Private names of Textual that the app means to define anew."""


@cache
def own_names(kind: type) -> set[str]:
    """The private names that a class itself gives to methods and attributes."""
    (tree,) = ast.parse(textwrap.dedent(inspect.getsource(kind))).body
    assert isinstance(tree, ast.ClassDef)
    found = {node.name for node in tree.body if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)}
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Store):
            found.add(node.attr)
    return {name for name in found if name.startswith("_") and not name.startswith("__")}


def test_no_private_name_of_ours_hides_one_of_textual_by_accident() -> None:
    names = [found.name for found in pkgutil.walk_packages(vlmft_console.app.__path__, "vlmft_console.app.")]
    ours = {kind for name in names for kind in vars(import_module(name)).values() if inspect.isclass(kind)}
    hidden = {
        f"{kind.__name__}.{name}"
        for kind in ours
        if kind.__module__.startswith("vlmft_console.")
        for base in kind.__mro__
        if base.__module__.startswith("textual.")
        for name in own_names(kind) & (own_names(base) | vars(base).keys())
    }
    assert hidden == REPLACED
