"""Role styles: how the parts of a widget look, by what they are.

Textual's component classes do the same through the style sheet, which matches every class of every widget against all
rules whenever a style may have changed: on a screen of charts that took a quarter of the time to open it.
"""

from __future__ import annotations

from functools import lru_cache

from rich.style import Style as RichStyle
from textual.style import Style

RUN_ROLES = {f"run-{number}": f"$run-{number}" for number in range(1, 9)}
"""The colours of runs that are laid over each other."""
ROLES = {
    "strong": "bold",
    "dim": "$secondary",
    "good": "$success",
    "caution": "bold $warning",
    "stop": "bold $error",
    "accent": "$accent",
    "primary": "$primary",
    "title": "bold $secondary",
    "cursor": "reverse",
    "chosen": "$block-cursor-foreground on $block-cursor-background",
    "match": "bold underline $warning",
    "found": "reverse bold",
    **RUN_ROLES,
}
"""What a part of a line can be, and its style; `chosen` is the row under the cursor of a list."""


def role_style(base: RichStyle, style: str) -> RichStyle:
    """A part's style in the theme of the running app.

    Args:
        base: the style of the widget.
        style: what the part changes of it, in Textual's words, such as `bold $warning` or `$primary 45%`.
    """
    return _over(base, Style.parse(style))


@lru_cache(maxsize=1024)
def _over(base: RichStyle, style: Style) -> RichStyle:
    return (Style.from_rich_style(base) + style).rich_style
