"""Memory panel: memory of each GPU (of each process on a CPU) now and at most, and the checkpoints' disk space."""

from __future__ import annotations

from vlmft_console.app.widgets.base.cells import bar
from vlmft_console.app.widgets.base.line_view import Line, LineView
from vlmft_console.figures import whole
from vlmft_console.history.state import RunState
from vlmft_core.figures import counted, figure, filesize


class MemoryPanel(LineView):
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
        total, owner = _smallest_gpu(state), "process" if _on_cpu(state) else "GPU"
        last, high = state.mem_gib.last, state.mem_gib.high
        lines: list[Line] = []
        if last is not None and last[1] is not None:
            lines.append(_memory_line("now", last[1], total, owner))
        if high is not None:
            lines.append(_memory_line("most", high, total, owner))
        if lines and total is None and owner == "GPU":
            lines.append((("the log does not tell how much the GPU has", "dim"),))
        lines += _disk_lines(state)
        self.show_lines(lines or [(("no memory figures in this log", "dim"),)])


def _smallest_gpu(state: RunState) -> float | None:
    sizes = [gpu.get("mem_total_gib") for gpu in state.gpus]
    return min((float(size) for size in sizes if isinstance(size, int | float) and size > 0), default=None)


def _on_cpu(state: RunState) -> bool:
    """Whether the run's preset trains without a GPU; False where its preset is not known."""
    preset = (state.start or {}).get("preset")
    hardware = preset.get("hardware") if isinstance(preset, dict) else None
    return isinstance(hardware, dict) and hardware.get("device") == "cpu"


def _memory_line(label: str, used: float, total: float | None, owner: str) -> Line:
    if total is None:
        return ((f"{label:<5}", "dim"), (f"{figure(used)} GiB a {owner}", ""))
    share = used / total
    tight = share > 0.95
    return (
        (f"{label:<5}", "dim"),
        (bar(share, 10), "caution" if tight else "primary"),
        (f" {figure(used)} of {whole(total)} GiB a {owner}", "caution" if tight else ""),
        (" tight" if tight else "", "caution"),
    )


def _disk_lines(state: RunState) -> list[Line]:
    if not state.checkpoints:
        return []
    newest = state.checkpoints[-1]
    kept, size = newest.get("kept"), newest.get("bytes")
    lines: list[Line] = []
    if isinstance(kept, list):
        taken = f", {filesize(round(len(kept) * size))}" if isinstance(size, int | float) else ""
        lines.append((("disk ", "dim"), (f"{counted(len(kept), 'checkpoint')}{taken}", "")))
    lines.append((("     ", ""), (f"newest at step {newest['step']:,}", "")))
    return lines
