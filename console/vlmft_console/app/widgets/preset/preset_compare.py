"""Preset comparison table: presets side by side, what differs from the chosen one marked."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import zip_longest
from typing import TYPE_CHECKING

from vlmft_console.app.widgets.base.cells import Cell
from vlmft_console.app.widgets.base.column_table import ColumnTable, TableRow

if TYPE_CHECKING:
    from vlmft_console.presets.table import Listed

MARK = "*"


class PresetCompare(ColumnTable):
    """A column for each preset. A value with `*` is not that of the chosen one."""

    def __init__(self) -> None:
        super().__init__(id="compare")

    def show_presets(self, presets: Sequence[Listed], chosen: str) -> None:
        """Compare these presets with the one called `chosen`; with the first where there is none of that name. Those
        that cannot be used have no column."""
        from vlmft_console.presets.table import comparison

        usable = [(preset, preset.loaded.preset) for preset in presets if preset.loaded is not None]
        names = [preset.name for preset, _ in usable]
        place = names.index(chosen) if chosen in names else 0
        rows: list[TableRow] = []
        for line in comparison([loaded for _, loaded in usable], [preset.time for preset, _ in usable]):
            differs = [value != line.values[place] for value in line.values]
            # A list takes a line for each of its words: cut off, two of them could look the same.
            words = [text.split() if isinstance(value, list) else [text]
                     for text, value in zip(line.texts(), line.values, strict=True)]  # fmt: skip
            for number, texts in enumerate(zip_longest(*words, fillvalue="")):
                cells = tuple(_cell(text, other) for text, other in zip(texts, differs, strict=True))
                rows.append(TableRow(Cell("" if number else line.label, "strong"), cells))
        self.show_table(names, rows, names[place] if names else "")


def _cell(text: str, differs: bool) -> Cell:
    if not text:
        return Cell("")
    return Cell(f"{MARK}{text}", "caution") if differs else Cell(f" {text}")
