"""Notice: a few words, where there is nothing to show."""

from __future__ import annotations

import textwrap

from vlmft_console.app.widgets.base.line_view import LineView
from vlmft_console.app.widgets.base.literal import one_line


class Notice(LineView):
    """Shows why there is nothing else to show.

    Args:
        text: one line or more; may hold names and reasons from anywhere.
    """

    DEFAULT_CSS = """
    Notice {
        height: 1fr;
        padding: 1 2;
        overflow-y: auto;
    }
    """

    def __init__(self, text: str) -> None:
        super().__init__()
        self._text = text

    def lay_out(self) -> None:
        lines = [line for part in self._text.splitlines() for line in textwrap.wrap(one_line(part), max(8, self.room))]
        self.show_lines([((line, ""),) for line in lines])
