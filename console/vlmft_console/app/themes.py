"""Themes: dark and light, both with text at high contrast (4.5:1 and more) to its background.

`run-1` to `run-8` are the colours of runs that are laid over each other.
"""

from __future__ import annotations

from textual.theme import Theme

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
        "run-1": "#6cb6ff",
        "run-2": "#f2c55c",
        "run-3": "#7ee0a0",
        "run-4": "#c9a8ff",
        "run-5": "#ff8a80",
        "run-6": "#5fd7e0",
        "run-7": "#ff9d45",
        "run-8": "#c0c8d2",
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
        "run-1": "#0a4fa0",
        "run-2": "#744400",
        "run-3": "#0f5c2c",
        "run-4": "#6b2fa8",
        "run-5": "#a3001a",
        "run-6": "#00707a",
        "run-7": "#c2410c",
        "run-8": "#4a5360",
    },
)
