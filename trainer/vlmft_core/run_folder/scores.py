"""Scores of single questions in a run folder: which of them the base and the adapter answered rightly.

JSON Lines, a line for each task at each eval with answers: `step` (0 for the base), `task`, and `points` (0 to 1) by
question. A question goes by 16 hexadecimal digits that stand for its text, its images and its right answers, so that
runs are compared on the questions that both were asked, wherever their data lies.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Final

import orjson

from vlmft_core.durable import add_lines, open_regular
from vlmft_core.errors import VlmftError

MOST_BYTES: Final = 16 << 20
"""Of a longer file its end is read: 1,000 evals of 500 questions take as much; …"""
_HEAD: Final = 1 << 20
"""… and its beginning, where the base's answers are, which all others are compared with."""

Points = Mapping[str, float]
"""What the answers were worth, 0 to 1, by question."""


def add_points(file: Path, step: int, task: str, points: Points) -> None:
    """Add the answers of one eval to one task's questions.

    Raises:
        OSError: they cannot be written.
    """
    add_lines(file, json.dumps({"step": step, "task": task, "points": points}, separators=(",", ":")) + "\n")


def read_points(file: Path) -> dict[tuple[int, str], Points]:
    """The points by step and task; an eval made again counts as made last. Lines that are something else are passed
    over, and there are none where there is no file that can be read: older runs have none.
    """
    found: dict[tuple[int, str], Points] = {}
    with suppress(OSError, VlmftError), os.fdopen(open_regular(file), "rb") as opened:
        size = os.fstat(opened.fileno()).st_size
        head = opened.read(_HEAD) if size > MOST_BYTES else b""
        opened.seek(max(0, size - MOST_BYTES))
        for line in (head + b"\n" + opened.read(MOST_BYTES)).splitlines():
            with suppress(ValueError, AttributeError, TypeError):  # not JSON, no object, points that are none
                value = orjson.loads(line)
                step, task, points = (value.get(key) for key in ("step", "task", "points"))
                if type(step) is int and isinstance(task, str):
                    found[step, task] = {key: float(point) for key, point in points.items() if 0 <= point <= 1}
    return found


def common(one: Points, other: Points) -> list[tuple[float, float]]:
    """The points of both on the questions that both were asked."""
    return [(one[key], other[key]) for key in one if key in other]
