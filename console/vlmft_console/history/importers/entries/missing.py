"""Missing values: NaN where a row has nothing to tell, as pandas writes the empty cells of a table.

A NaN beside a finite loss is one of these where a table begins with it; a training whose losses become NaN has told
numbers before, and tells all of them as NaN.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping
from typing import Any, Final

from vlmft_console.history.importers.entries.parsing import number

_MANY: Final = 10
"""Rows after which it is said that a loss has been NaN in all of them."""
MISSING: Final = "{} is NaN in the first {} rows, beside other losses that are not: taken for missing values"


class MissingValues:
    """Is shown the rows of a log that have several losses."""

    def __init__(self) -> None:
        self._seen: set[str] = set()
        self._finite: set[str] = set()
        self._usual: tuple[str, ...] = ()
        """The losses of the last row, where all of them have been numbers: another such row tells nothing new."""
        self._marks = False
        self._rows: Counter[str] = Counter()
        """In how many rows the losses that may be missing were."""

    def without(
        self, losses: tuple[str, ...], beside: tuple[str, ...], values: Mapping[str, Any], trains: str | None
    ) -> tuple[Mapping[str, Any], str]:
        """A row with None for what is missing, and what is to be said of that, if anything.

        Args:
            losses: the names of its losses.
            beside: those of its rates and norms.
            values: the row.
            trains: the train loss that entries have told so far, perhaps without any other.

        Raises:
            ValueError: a loss is no number.
        """
        if losses == self._usual and all(type(value := values[name]) is float and value == value for name in losses):
            return values, ""
        if trains is not None:
            self._seen.add(trains)
        told = {name: found for name in losses if (found := number(values[name])) is not None}
        unknown = {name for name, value in told.items() if math.isnan(value)}
        self._finite |= told.keys() - unknown
        self._usual = losses if self._finite.issuperset(losses) else ()
        if unknown and len(unknown) < len(told):
            self._marks = self._marks or not unknown <= self._seen
            if self._marks:
                self._rows.update(dict.fromkeys(unknown - self._rows.keys(), 0))
        self._seen |= told.keys()
        missing = unknown & self._rows.keys()
        if not missing:
            return values, ""
        self._rows.update(missing)
        news = [name for name in missing if self._rows[name] == _MANY and name not in self._finite]
        missing |= {name for name in beside if _is_nan(values[name])}
        return (
            {name: None if name in missing else value for name, value in values.items()},
            MISSING.format(min(news), _MANY) if news else "",
        )


def _is_nan(value: Any) -> bool:
    found = number(value)
    return found is not None and math.isnan(found)
