"""Literal text: the one way to put text that was not written here into a widget."""

from __future__ import annotations

from textual.content import Content

from vlmft_console.sanitize import sanitize


def literal(text: str, style: str = "") -> Content:
    """`text` as it is, in one style: no markup in it is obeyed, no control character reaches the terminal.

    Args:
        text: names, log lines, messages; newlines stay.
        style: a Textual style such as `bold $warning`; written here, never taken from data.
    """
    return Content.styled(sanitize(text), style) if style else Content(sanitize(text))


def one_line(text: str) -> str:
    """`text` for a place that has one line: newlines and tabs become visible too."""
    return sanitize(text).replace("\n", "\\n").replace("\t", "\\t")
