"""Check list: what was found out before a start, a line or more each."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence

from vlmft_console.app.widgets.base.line_view import Line, LineView
from vlmft_console.app.widgets.base.literal import one_line
from vlmft_console.runs.launching import Check

_SIGNS = {"ok": ("ok  ", "good"), "caution": ("!   ", "caution"), "stop": ("stop", "stop")}
_SIGN_CELLS = 5


class CheckList(LineView, can_focus=True):
    """Checks with a sign for each; what would stop the run comes first."""

    DEFAULT_CSS = """
    CheckList { height: 1fr; padding: 0 1; scrollbar-gutter: stable; }
    """

    def __init__(self) -> None:
        super().__init__()
        self._checks: list[Check] = []

    def show(self, checks: Sequence[Check]) -> None:
        """Show these."""
        self._checks = sorted(checks, key=lambda check: ("stop", "caution", "ok").index(check.level))
        self.lay_out()

    def lay_out(self) -> None:
        width = max(10, self.scrollable_content_region.width - _SIGN_CELLS)
        lines: list[Line] = []
        for check in self._checks:
            sign, role = _SIGNS[check.level]
            for number, line in enumerate(textwrap.wrap(one_line(check.text), width)):
                lines.append(((f"{'' if number else sign:<{_SIGN_CELLS}}", role), (line, "")))
        self.show_lines(lines)
