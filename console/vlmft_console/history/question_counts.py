"""Question counts: where shares of right answers stand under each other that are of unlike numbers of questions."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Final

_NAMED: Final = 3
"""Steps or epochs that are named for one number of questions."""


def unlike_counts(asked: Iterable[tuple[int, Mapping[str, int | None]]], unit: str) -> str:
    """Which answers are to another number of questions than those above and below, in a line; empty where none are.

    Args:
        asked: by step or epoch, how many questions of each task were answered, as far as is known.
        unit: what is counted, `step` or `epoch`.
    """
    by_task: dict[str, dict[int, list[int]]] = {}
    for at, counts in asked:
        for task, count in counts.items():
            if count is not None:
                by_task.setdefault(task, {}).setdefault(count, []).append(at)
    told: dict[str, list[str]] = {}
    for task, places in by_task.items():
        usual, *others = sorted(places, key=lambda count: (-len(places[count]), count))
        if others:
            odd = (f"{count:,} at {unit} {_listed(places[count])}" for count in others)
            told.setdefault(f"{usual:,} questions, but {' and '.join(odd)}", []).append(task)
    return "; ".join(f"{', '.join(tasks)}: {words}" for words, tasks in told.items())


def _listed(places: list[int]) -> str:
    more = ", …" if len(places) > _NAMED else ""
    return ", ".join(f"{place:,}" for place in places[:_NAMED]) + more
