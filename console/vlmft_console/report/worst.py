"""Worst samples in words: what the trainer's program found, for the command line and the app."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

from vlmft_console.figures import signed
from vlmft_console.history.answer_rows import said, worth
from vlmft_core.figures import figure
from vlmft_core.run_folder.answers import Answer

LOOKED_AT: Final = 2_000
"""Samples that are looked at where nobody says how many."""


def lists(found: Mapping[str, Any], part: str) -> Iterator[tuple[str, list[int]]]:
    """The lists that are not empty: a title, and indices into what was found.

    Args:
        found: what the program answered.
        part: which of the data was looked at.
    """
    looked = f"{found['samples']:,} of {found['of']:,}" if found["samples"] < found["of"] else f"all {found['of']:,}"
    for title, indices in (("largest loss", found["by_loss"]), ("made worse most", found["by_worsening"])):
        if indices:
            yield f"{title}, of {looked} {part} samples", list(indices)


def losses(one: Mapping[str, Any]) -> str:
    """What a sample costs: `base 5.000 -> 4.500 (-0.5000)`, in nats a token."""
    if one["tuned"] is None:
        return f"loss {figure(one['base'])}"
    return f"base {figure(one['base'])} -> {figure(one['tuned'])} ({signed(one['tuned'] - one['base'])})"


def described(one: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """Label and text of what else is known of a sample."""
    answer = Answer(one["answer"], one["right"])
    for label, text in (
        ("question", one["question"]),
        ("truth", " | ".join(one["truth"])),
        ("answer", f"{said(answer)} ({worth(answer)})"),
        ("image", one["image"]),
    ):
        if text:
            yield label, " ".join(text.split())
