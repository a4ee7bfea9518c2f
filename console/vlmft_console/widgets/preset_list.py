"""The list of presets: name, what it promises, how long it takes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from vlmft_console.widgets.cells import Cell, Column
from vlmft_console.widgets.row_list import Row, RowList

if TYPE_CHECKING:
    from vlmft_console.preset_table import Listed

COLUMNS = (
    Column("preset", 10, stretches=True, widest=20),
    Column("improvement", 11, rank=1),
    Column("8 GPUs", 7, rank=2),
    Column("for", 20, rank=3, stretches=True, widest=90),
)


class PresetList(RowList):
    """Every preset that can be named; one that cannot be used says so."""

    def __init__(self) -> None:
        super().__init__(COLUMNS, id="presets")

    def show_presets(self, presets: Sequence[Listed]) -> None:
        self.show([_row(preset) for preset in presets])


def _row(preset: Listed) -> Row:
    if preset.loaded is None:
        return Row(preset.name, (Cell(preset.name), Cell("✗ broken", "stop"), Cell(""), Cell(preset.error, "stop")))
    about = preset.loaded.preset.about
    cells = (Cell(preset.name, "strong"), Cell(about.improvement), Cell(about.time), Cell(about.summary, "dim"))
    return Row(preset.name, cells)
