"""Name line: a name between what is said of it, cut where there is no room for all."""

from __future__ import annotations

from rich.cells import cell_len

from vlmft_console.app.widgets.base.cells import cut_in_the_middle, cut_line
from vlmft_console.app.widgets.base.line_view import LineView, Part
from vlmft_console.app.widgets.base.literal import one_line

_SHORTEST = 16
"""Cells that a name keeps, however much is said beside it."""


class NameLine(LineView):
    """Shows words, a name and more words. Where there is no room for all, the name is cut in its middle first, as names
    often differ at their ends, then the line at its end; `…` stands where something was cut off."""

    DEFAULT_CSS = "NameLine { height: 1; overflow: hidden hidden; }"

    def __init__(self, *, id: str | None = None, classes: str | None = None) -> None:
        super().__init__(id=id, classes=classes)
        self._parts: tuple[Part, Part, Part] = (("", ""), ("", ""), ("", ""))

    def show(self, before: str, name: str, after: str = "", *, role: str = "", after_role: str = "") -> None:
        """Show the three beside each other; each may be from anywhere.

        Args:
            role: the name's, one of `ROLES`.
            after_role: that of `after`.
        """
        self._parts = (one_line(before), ""), (one_line(name), role), (one_line(after), after_role)
        self.lay_out()

    def lay_out(self) -> None:
        before, (name, role), after = self._parts
        kept = max(_SHORTEST, self.room - cell_len(before[0]) - cell_len(after[0]))
        parts = (before, (cut_in_the_middle(name, kept), role), after)
        self.show_lines([cut_line(tuple(part for part in parts if part[0]), self.room)])
