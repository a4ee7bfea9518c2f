"""Line table: the rows of a table among the lines of a log, also where other lines come between them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from vlmft_console.history.importers.entries.long_entries import LongEntries
from vlmft_console.history.importers.entries.parsing import number
from vlmft_console.history.importers.printed.table_rows import Table, is_rule

_BEGINS: Final = (b"|", "│".encode(), "┃".encode(), b"\x1b", *(str(digit).encode() for digit in range(10)))
"""How a row begins where its first column is a step or an epoch."""
_BARS: Final = ("|", "│", "┃")
_INDENT: Final = 40
_SOON: Final = 50
"""Lines after a header by which its first row comes."""


class LineTable:
    """Is shown the lines below a table's header."""

    def __init__(self) -> None:
        self.rejected = 0
        """Rows without a value."""
        self.rows = 0
        self.begun = False
        """Whether there was a header."""
        self._table: Table | None = None
        self._open = False
        self._place: float | None = None
        self._counts: dict[str, bool] = {}
        """Which figures of the last row were whole numbers."""
        self._soon = 0
        self._long = LongEntries()

    @property
    def open(self) -> bool:
        """Whether the line before was the table's."""
        return self._open

    def begin(self, table: Table) -> None:
        """A header was found."""
        self.begun = True
        self._table, self._open, self._place, self._soon = table, True, None, _SOON

    def may_be_row(self, line: bytes) -> bool:
        """Whether a line is worth a closer look."""
        if self._open:
            return True
        self._soon -= 1
        awaited = self._place is not None or self._soon > 0
        return awaited and line[:_INDENT].lstrip().startswith(_BEGINS)

    def row(self, text: str) -> tuple[bool, list[Mapping[str, Any]]]:
        """Whether a line that was cleaned belongs to the table, and the entries that are whole with it."""
        if self._table is None:
            return False, []
        if self._open and not text[:1].isdigit() and is_rule(text):
            return True, []
        values = self._table.row(text)
        place = number(values.get(self._table.place)) if values else None
        if not self._open and not (values and self._goes_on(values, place)):
            if text.startswith(_BARS) and not any(map(str.isdigit, text)):  # the header of another, or a rule below it
                self._table = None
            return False, []
        self._open = values is not None
        if not values:
            return self._open, [] if self._open else self._long.rest()
        self.rows += 1
        self._place = place
        self._counts = {name: value.isdigit() for name, value in values.items()}
        try:
            return True, self._long.add(values)
        except ValueError:
            self.rejected += 1
            return True, []

    def _goes_on(self, values: Mapping[str, str], place: float | None) -> bool:
        """Whether a row after other lines is one of the same table, and not one of a table of scores, say."""
        if place is None or (self._place is not None and place <= self._place):
            return False
        return all(self._counts.get(name) in (None, value.isdigit()) for name, value in values.items())

    def rest(self) -> list[Mapping[str, Any]]:
        """Entries that no other has followed yet."""
        return self._long.rest()
