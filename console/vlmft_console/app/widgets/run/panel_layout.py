"""Panel layout: which panels of a run are shown, by the size of the terminal and by what was chosen."""

from __future__ import annotations

from typing import Final

from vlmft_console.charts.run_charts import CHARTS

UPPER: Final = ("loss", "lr", "grad_norm", "usage")
LOWER: Final = ("health", "epochs", "log")
PANELS: Final = (*UPPER, *LOWER)
"""The panels in the order of their keys, 1 to 7."""
EXPLAINED: Final = {
    **{key: CHARTS[key].about for key in UPPER[:3]},
    "usage": "Throughput; pressed again load, memory and disk so far, GPUs now, memory now, accuracy",
    "health": "What the rules found, and advice",
    "epochs": "Each epoch's figures",
    "log": "What the training program prints",
}
"""What each of them shows."""


def size_class(width: int, height: int) -> str:
    """How much fits into a terminal of this size.

    Returns:
        `tiny`: one panel; `small`: the charts and one more; `medium`: two more; `large`: everything.
    """
    if width < 70 or height < 18:
        return "tiny"
    if width < 110 or height < 32:
        return "small"
    return "medium" if width < 160 or height < 48 else "large"


def visible(size: str, selected: str, lower: str, *, full: bool) -> set[str]:
    """The panels that are shown.

    Args:
        size: from `size_class`.
        selected: the panel that was chosen last.
        lower: the one of `LOWER` that was chosen last.
        full: whether the chosen panel shall have all the room.
    """
    if full or size == "tiny":
        return {selected}
    if size == "large":
        return set(PANELS)
    if size == "small":
        return {*UPPER, lower}
    return {*UPPER, "health", "epochs" if lower == "health" else lower}
