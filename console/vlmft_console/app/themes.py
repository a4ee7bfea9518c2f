"""Themes: dark and light, both with text at high contrast (4.5:1 and more) to its background.

`run-1` to `run-8` are the colours of runs that are laid over each other.
"""

from __future__ import annotations

from collections.abc import Sequence

from textual.theme import Theme

from vlmft_console.charts.styles import RUNS_ON_DARK, RUNS_ON_LIGHT


def _runs(colors: Sequence[str]) -> dict[str, str]:
    return {f"run-{number}": color for number, color in enumerate(colors, 1)}


DARK = Theme(
    name="vlmft-dark",
    dark=True,
    primary="#6cb6ff",
    secondary="#9aa7b8",
    accent="#c9a8ff",
    success="#7ee0a0",
    warning="#f2c55c",
    error="#ff8a80",
    foreground="#e8eaed",
    background="#0d1117",
    surface="#0d1117",
    panel="#1f2630",
    boost="#161c24",
    variables={
        "block-cursor-background": "#6cb6ff",
        "block-cursor-foreground": "#000000",
        "block-cursor-text-style": "none",
        "border": "#6cb6ff",
        "border-blurred": "#56606e",
        "footer-key-foreground": "#6cb6ff",
        "input-selection-background": "#6cb6ff 40%",
        "button-color-foreground": "#000000",
        **_runs(RUNS_ON_DARK),
    },
)

LIGHT = Theme(
    name="vlmft-light",
    dark=False,
    primary="#0a4fa0",
    secondary="#4a5360",
    accent="#6b2fa8",
    success="#0f5c2c",
    warning="#744400",
    error="#a3001a",
    foreground="#15181c",
    background="#ffffff",
    surface="#ffffff",
    panel="#e4e8ed",
    boost="#f2f4f7",
    variables={
        "block-cursor-background": "#0a4fa0",
        "block-cursor-foreground": "#ffffff",
        "block-cursor-text-style": "none",
        "border": "#0a4fa0",
        "border-blurred": "#8a94a1",
        "footer-key-foreground": "#0a4fa0",
        "input-selection-background": "#0a4fa0 30%",
        "button-color-foreground": "#ffffff",
        **_runs(RUNS_ON_LIGHT),
    },
)
