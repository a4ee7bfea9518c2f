"""Preset list: name, what each promises, how long it takes by its plan."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from vlmft_console.app.widgets.base.cells import Cell, ColumnSpec
from vlmft_console.app.widgets.base.row_list import ListRow, RowList

if TYPE_CHECKING:
    from vlmft_console.presets.table import Listed

COLUMNS = (
    ColumnSpec("preset", 10, stretches=True, widest=20),
    ColumnSpec("whose", 7),
    ColumnSpec("improvement", 11, rank=1),
    ColumnSpec("time", 8, rank=2),
    ColumnSpec("for", 20, rank=3, stretches=True, widest=90),
)


class PresetList(RowList):
    """Every preset that can be named; one that cannot be used says so."""

    def __init__(self) -> None:
        super().__init__(COLUMNS, id="presets")

    def show_presets(self, presets: Sequence[Listed]) -> None:
        self.show([_row(preset) for preset in presets])


def _row(preset: Listed) -> ListRow:
    if preset.loaded is None:
        broken = (Cell("✗ broken", "stop"), Cell(""), Cell(preset.error, "stop"))
        return ListRow(preset.name, (Cell(preset.name), _whose(preset), *broken))
    about = preset.loaded.preset.about
    promise = (Cell(about.improvement), Cell(preset.time.text), Cell(about.summary, "dim"))
    return ListRow(preset.name, (Cell(preset.name, "strong"), _whose(preset), *promise))


def _whose(preset: Listed) -> Cell:
    """A preset of one's own that hides a shipped one has a `!`; the detail says what that means."""
    if not preset.own:
        return Cell("vlmft's", "dim")
    return Cell("yours !", "caution") if preset.hides else Cell("yours")
