"""Choice of what is judged in a log that holds several trainings or eval sets."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True)
class Choice:
    """What of a log is judged."""

    run: int | None = None
    """The training's number, counted from 1; the last one, if None."""
    eval_set: str | None = None
    """The eval set, where another program's log has several; the first one, if None."""


LAST: Final = Choice()
