"""Chart styles by name, and how a plain terminal shows them. The app has its own, by theme."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import TextIO

RUNS_ON_DARK = ("#6cb6ff", "#f2c55c", "#7ee0a0", "#c9a8ff", "#ff8a80", "#5fd7e0", "#ff9d45", "#c0c8d2")
RUNS_ON_LIGHT = ("#0a4fa0", "#744400", "#0f5c2c", "#6b2fa8", "#a3001a", "#00707a", "#c2410c", "#4a5360")
"""Colours of runs that are laid over each other, `run-1` to `run-8`, each at 3:1 and more to its paper."""

STYLES = {
    "title": "bold",
    "title-focused": "bold reverse",
    "legend": "dim",
    "axis": "dim",
    "raw": "blue",
    "smooth": "bold bright_cyan",
    "line": "bright_cyan",
    "points": "bright_yellow",
    "planned": "bright_black",
    "old": "bright_black",
    "reference": "bright_black",
    "caution": "yellow",
    "stop": "bold red",
    "not-finite": "bold red",
    "best": "bold bright_green",
    "off-scale": "bold bright_magenta",
    "crosshair": "bold",
    **{
        f"run-{index}": color
        for index, color in enumerate(
            (
                "bright_cyan",
                "bright_yellow",
                "bright_magenta",
                "bright_green",
                "bright_red",
                "bright_blue",
                "white",
                "cyan",
            ),
            1,
        )
    },
}
"""Style name to rich style, for `vlmft plot` on a colour terminal."""


_ASCII = str.maketrans("│┤└─┬┄▲▼▸…", "|++-+-^v>~")


@dataclass(frozen=True)
class Look:
    """What the terminal can show.

    Args:
        unicode: False draws with ASCII characters alone.
        color: False tells curves apart by their characters, since their colours cannot.
    """

    unicode: bool = True
    color: bool = True


def shown(text: str, look: Look) -> str:
    """A chart's own characters, or what stands for them in ASCII."""
    return text if look.unicode else text.translate(_ASCII)


def speaks_unicode(out: TextIO | None = None) -> bool:
    """Whether charts may use more than ASCII: the locale says UTF-8, or nothing, and `out` can encode it.

    Python itself turns a C locale into C.UTF-8 in LC_CTYPE, so a LANG of C counts where that is what it holds.
    """
    ctype, lang = os.environ.get("LC_CTYPE", ""), os.environ.get("LANG", "")
    locale = os.environ.get("LC_ALL") or (lang if ctype == "C.UTF-8" else ctype) or lang
    try:
        "⣿─▲".encode((out and out.encoding) or "utf-8")
    except (UnicodeEncodeError, LookupError):
        return False
    return not locale or "utf" in locale.lower()
