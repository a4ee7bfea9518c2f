"""Readout: one short text in a place of its own, so that a change of it redraws nothing else."""

from __future__ import annotations

from rich.cells import cell_len

from vlmft_console.app.widgets.base.line_view import LineView


class Readout(LineView):
    """Shows one text; becomes wider when a text needs it and never narrower, so that its neighbours stay put.

    Without a text it takes no room.
    """

    DEFAULT_CSS = """
    Readout {
        height: 1;
        width: auto;
        overflow: hidden hidden;
        &.-empty { display: none; }
    }
    """

    def __init__(self, *, id: str | None = None, classes: str | None = None) -> None:
        super().__init__(id=id, classes=classes)
        self._cells = 0
        self.add_class("-empty")

    @property
    def text(self) -> str:
        """What is shown."""
        return "".join(text for row in self.shown for text, _ in row)

    def show(self, text: str, role: str = "") -> None:
        """Show `text`, which comes through `literal.one_line`, in the style of `role` (one of `ROLES`, or empty)."""
        cells = cell_len(text)
        if cells > self._cells:
            self._cells = cells
            self.styles.width = cells
        self.set_class(not text, "-empty")
        self.show_lines((((text, role),),))
