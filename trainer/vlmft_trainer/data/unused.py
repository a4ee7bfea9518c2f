"""Unused keys: what rows hold beside what is trained on, by name, and in how many rows."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable
from typing import Final

from vlmft_core.figures import counted

MOST: Final = 1000
"""Different names that are counted; further ones count together."""

NAMED: Final = 20
"""Names that one line tells of."""

FURTHER: Final = "further keys"


def count(unused: Counter[str], names: Iterable[str]) -> None:
    """Count one row's names."""
    for name in names:
        unused[name if name in unused or len(unused) < MOST else FURTHER] += 1


def lines(unused: Counter[str]) -> list[str]:
    """A line for all names that stand in equally many rows: `column id, column source are not used: 300 rows`."""
    named = defaultdict[int, list[str]](list)
    for name, rows in unused.items():
        named[rows].append(name)
    found = []
    for rows, names in sorted(named.items(), reverse=True):
        names.sort(key=lambda name: not name.startswith("column "))
        said = ", ".join(names[:NAMED]) + (f" and {len(names) - NAMED:,} more" if len(names) > NAMED else "")
        found.append(f"{said} {'is' if len(names) == 1 else 'are'} not used: {counted(rows, 'row')}")
    return found
