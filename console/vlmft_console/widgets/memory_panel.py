"""What a run takes: GPU memory now and at most, and the disk space of its checkpoints."""

from __future__ import annotations

from vlmft_console.history.state import RunState
from vlmft_console.widgets.gpu_table import bar
from vlmft_console.widgets.lines import Lines, Row

_GIB = 1 << 30


class MemoryPanel(Lines):
    """Memory as the training program measures it, against the size of the GPU where the log tells that."""

    DEFAULT_CSS = """
    MemoryPanel {
        padding: 0 1;
        height: auto;
        max-height: 50%;
    }
    """

    def show(self, state: RunState) -> None:
        """Show the latest figures."""
        total = _smallest_gpu(state)
        last, high = state.mem_gib.last, state.mem_gib.high
        rows: list[Row] = []
        if last is not None and last[1] is not None:
            rows.append(_memory_row("now", last[1], total))
        if high is not None:
            rows.append(_memory_row("most", high, total))
        if rows and total is None:
            rows.append((("the log does not tell how much the GPU has", "dim"),))
        rows += _disk_rows(state)
        self.show_rows(rows or [(("no memory figures in this log", "dim"),)])


def _smallest_gpu(state: RunState) -> float | None:
    sizes = [gpu.get("mem_total_gib") for gpu in state.gpus]
    return min((float(size) for size in sizes if isinstance(size, int | float) and size > 0), default=None)


def _memory_row(label: str, used: float, total: float | None) -> Row:
    if total is None:
        return ((f"{label:<5}", "dim"), (f"{used:.1f} GiB a GPU", ""))
    share = used / total
    tight = share > 0.95
    return (
        (f"{label:<5}", "dim"),
        (bar(share, 12), "caution" if tight else "primary"),
        (f" {used:.1f} of {total:.0f} GiB a GPU", "caution" if tight else ""),
        (" tight" if tight else "", "caution"),
    )


def _disk_rows(state: RunState) -> list[Row]:
    if not state.checkpoints:
        return []
    newest = state.checkpoints[-1]
    kept, size = newest.get("kept"), newest.get("bytes")
    rows: list[Row] = []
    if isinstance(kept, list):
        taken = f", {len(kept) * size / _GIB:.2f} GiB" if isinstance(size, int | float) else ""
        rows.append((("disk ", "dim"), (f"{len(kept)} checkpoints{taken}", "")))
    rows.append((("     ", ""), (f"newest at step {newest['step']:,}", "")))
    return rows
