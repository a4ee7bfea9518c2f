"""Run about: two lines on a run below the list."""

from __future__ import annotations

from typing import TYPE_CHECKING

from textual.content import Content
from textual.style import Style
from textual.widgets import Static

from vlmft_console.app.widgets.base.literal import literal
from vlmft_console.app.widgets.run.run_list import state_words
from vlmft_console.sanitize import link_to, sanitize

if TYPE_CHECKING:
    from vlmft_console.runs.overview import Overview


class RunAbout(Static):
    """Its state and why, and the worst finding or where the run is kept."""

    def __init__(self) -> None:
        super().__init__("", id="about", markup=False)

    def show_run(self, run: Overview | None, *, named: bool) -> None:
        """Show this run; None for none.

        Args:
            named: whether its name comes first, for the list has not all of it.
        """
        self.update(_about(run, named=named) if run else "")


def _about(run: Overview, *, named: bool) -> Content:
    words, _ = state_words(run.status.state)
    first = f"{words}: {run.status.reason}" if run.status.reason else words
    first = "  ".join(filter(None, [run.folder.name if named else "", first, str(run.labels)]))
    finding = run.finding
    if finding:
        return literal(f"{first}\n{finding.severity}: {finding.message}")
    place = Content.styled(sanitize(str(run.folder.path)), Style(link=link_to(run.folder.path)))
    return Content.assemble(literal(f"{first}\n"), place)
