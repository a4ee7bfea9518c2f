"""The guide's comparison table: presets side by side, what differs from one of them marked."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import zip_longest
from typing import TYPE_CHECKING

from vlmft_console.widgets.cells import Cell, Column
from vlmft_console.widgets.row_list import Row, RowList

if TYPE_CHECKING:
    from vlmft_trainer.preset import LoadedPreset

MARK = "*"


class PresetCompare(RowList):
    """A column for each preset. A value with `*` is not that of the preset compared with."""

    def __init__(self) -> None:
        super().__init__((), id="compare")

    def show_table(self, presets: Sequence[LoadedPreset], reference: str) -> None:
        """Compare these presets with the one called `reference`, whose column stays where there is room for few."""
        from vlmft_console.preset_table import comparison

        names = [preset.name for preset in presets]
        place = names.index(reference) if reference in names else 0
        columns = [
            Column(name, 11, rank=abs(number - place), stretches=number == len(names) - 1, widest=16)
            for number, name in enumerate(names)
        ]
        self.set_columns([Column("", 14, stretches=True, widest=22), *columns])
        rows: list[Row] = []
        for line in comparison([preset.preset for preset in presets]):
            differs = [value != line.values[place] for value in line.values]
            # A list takes a line for each of its words: cut off, two of them could look the same.
            words = [text.split() if isinstance(value, list) else [text]
                     for text, value in zip(line.texts(), line.values, strict=True)]  # fmt: skip
            for number, texts in enumerate(zip_longest(*words, fillvalue="")):
                label = Cell(line.label if not number else "", "strong")
                cells = [_cell(text, other) for text, other in zip(texts, differs, strict=True)]
                rows.append(Row(f"{line.label} {number}", (label, *cells)))
        self.show(rows)


def _cell(text: str, differs: bool) -> Cell:
    if not text:
        return Cell("")
    return Cell(f"{MARK}{text}", "caution") if differs else Cell(f" {text}")
