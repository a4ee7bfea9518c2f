"""The GPUs of a run: load, memory, power and temperature."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from vlmft_console.app.widgets.base.line_view import Line, LineView
from vlmft_console.figures import filled
from vlmft_console.history.state import RunState

_HOT = 85.0
"""Degrees Celsius from which data-centre GPUs begin to slow down."""


class GpuTable(LineView, can_focus=True):
    """One line for each GPU, as the latest `gpu` event tells."""

    DEFAULT_CSS = """
    GpuTable {
        padding: 0 1;
    }
    """

    def __init__(self, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self._gpus: tuple[Mapping[str, Any], ...] = ()

    def show(self, state: RunState) -> None:
        """Show the latest figures."""
        self._gpus = state.gpus
        self._redraw()

    def on_resize(self) -> None:
        self._redraw()

    def _redraw(self) -> None:
        if not self._gpus:
            self.show_lines([(("no GPU figures in this log", "dim"),)])
            return
        wide = self.room >= 46
        head = "GPU  load         memory GiB     " + ("  power    temp" if wide else "")
        self.show_lines([((head, "dim"),), *(_row(gpu, wide) for gpu in self._gpus)])


def _row(gpu: Mapping[str, Any], wide: bool) -> Line:
    util, used, total = (_number(gpu, key) for key in ("util", "mem_gib", "mem_total_gib"))
    power, temperature = _number(gpu, "power_w"), _number(gpu, "temp_c")
    index = _number(gpu, "index")
    memory = f"{filled('{:.1f}', used)} / {filled('{:.0f}', total)}"
    row: Line = (
        (f"{filled('{:.0f}', index):>3}  ", "strong"),
        (bar(util / 100, 6) if util is not None else " " * 6, "primary"),
        (f" {filled('{:.0f} %', util):>5} ", ""),
        (f"{memory:<15}", "caution" if used is not None and total and used > 0.95 * total else ""),
    )
    if not wide:
        return row
    hot = temperature is not None and temperature >= _HOT
    return (
        *row,
        (f"{filled('{:.0f} W', power):>7}", ""),
        (f"{filled('{:.0f} °C', temperature):>8}", "caution" if hot else ""),
        (" hot" if hot else "", "caution"),
    )


def bar(share: float, cells: int) -> str:
    """`share` (0 to 1, clamped) as a bar of `cells` cells, to an eighth of a cell."""
    eighths = round(max(0.0, min(1.0, share)) * cells * 8)
    full, rest = divmod(eighths, 8)
    partial = " ▏▎▍▌▋▊▉"[rest] if rest else ""
    return ("█" * full + partial).ljust(cells, "░")


def _number(gpu: Mapping[str, Any], key: str) -> float | None:
    value = gpu.get(key)
    return float(value) if isinstance(value, int | float) else None
