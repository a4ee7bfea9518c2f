"""GPU table: load, memory, power and temperature of each GPU of a run."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from vlmft_console.app.widgets.base.cells import Cell, ColumnSpec, bar, cells_line, sparkline, titles_line
from vlmft_console.app.widgets.base.line_view import LineView
from vlmft_console.figures import whole
from vlmft_console.history.state import RunState
from vlmft_core.figures import figure

_PAST: Final = 16
"""`gpu` events whose load is drawn."""
_COLUMNS: Final = (
    ColumnSpec("GPU", 3, right=True),
    ColumnSpec("", 6, rank=4),
    ColumnSpec("load", 5, right=True),
    ColumnSpec("memory GiB", 12),
    ColumnSpec("power", 6, rank=2, right=True),
    ColumnSpec("temp", 9, rank=1),
    ColumnSpec("load so far", _PAST, rank=3),
)
_HOT = 85.0
"""Degrees Celsius from which data-centre GPUs begin to slow down."""


class GpuTable(LineView, can_focus=True):
    """One line for each GPU, as the latest `gpu` event tells. Columns that do not fit are left out."""

    HEAD = 1
    DEFAULT_CSS = """
    GpuTable {
        padding: 0 1;
        scrollbar-gutter: stable;
    }
    """

    def __init__(self, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self._gpus: tuple[Mapping[str, Any], ...] = ()
        self._past: tuple[tuple[Mapping[str, Any], ...], ...] = ()

    def show(self, state: RunState) -> None:
        """Show the latest figures."""
        self._gpus = state.gpus
        self._past = state.gpu_history[-_PAST:]
        self.lay_out()

    def lay_out(self) -> None:
        if not self._gpus:
            self.show_lines([(("no GPU figures in this log", "dim"),)])
            return
        lines = [cells_line([*_cells(gpu), self._load(gpu)], _COLUMNS, self.room) for gpu in self._gpus]
        self.show_lines([titles_line(_COLUMNS, self.room), *lines])

    def _load(self, gpu: Mapping[str, Any]) -> Cell:
        """The load of one GPU at the last events, the latest on the right."""
        past = (next((each for each in gpus if each.get("index") == gpu.get("index")), {}) for gpus in self._past)
        loads = (_number(each, "util") for each in past)
        return Cell("".join(" " if load is None else sparkline(load / 100) for load in loads), "primary")


def _cells(gpu: Mapping[str, Any]) -> list[Cell]:
    index, util, used, total, power, temperature = (
        _number(gpu, key) for key in ("index", "util", "mem_gib", "mem_total_gib", "power_w", "temp_c")
    )
    full = used is not None and total and used > 0.95 * total
    hot = temperature is not None and temperature >= _HOT
    return [
        Cell(whole(index), "strong"),
        Cell("" if util is None else bar(util / 100, 6), "primary"),
        Cell(whole(util, "%")),
        Cell(figure(used, "–") + ("" if total is None else f" / {whole(total)}"), "caution" if full else ""),
        Cell(whole(power, "W")),
        Cell(whole(temperature, "°C") + " hot" * hot, "caution" if hot else ""),
    ]


def _number(gpu: Mapping[str, Any], key: str) -> float | None:
    value = gpu.get(key)
    return float(value) if isinstance(value, int | float) else None
