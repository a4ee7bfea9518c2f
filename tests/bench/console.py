"""What the console costs, in a terminal of its own beside a blank Textual app in the same run.

python -m tests.bench.console            # all of it
python -m tests.bench.console several    # eight runs of 100,000 steps laid over each other, and twelve panels, alone
"""

from __future__ import annotations

import os
import statistics
import sys
import tempfile
import time
from collections.abc import Sequence
from contextlib import AbstractContextManager
from pathlib import Path

from tests.bench import blank_app
from tests.bench.console_logs import LiveRun, live_run, several_runs, write_logs
from tests.in_terminal import Terminal, terminal

SIZE = (120, 40)
STARTS = 9
LOADS = 5
IDLE_SECONDS = 20.0
LIVE_SECONDS = 40
LARGE = (200, 60)
PANEL_SECONDS = 20
LIVE_STEPS, LIVE_TOTAL = 2_000, 10_000
SEVERAL = 8
TWELVE = "(loss|lr|grad_norm|eval_loss|samples_per_s|tokens_per_s|step_s|data_s|mem_gib|epoch|host0.cpu|host0.mem_gib)$"
BLANK = (sys.executable, str(Path(blank_app.__file__)))


def main() -> None:
    with tempfile.TemporaryDirectory() as name:
        root = Path(name)
        short, whole = write_logs(root)
        began = os.getloadavg()[0]
        print(f"{'what':<48}{'blank app':>12}{'vlmft':>12}{'budget':>12}")
        if sys.argv[1:] != ["several"]:
            _start(root)
            _load(root, short, whole)
            _idle(root, short)
        runs = several_runs(short, SEVERAL)
        _overlay(root, runs)
        with live_run(root, LIVE_STEPS, LIVE_TOTAL) as run:
            if sys.argv[1:] != ["several"]:
                _live(root, run)
            _panels(root, run)
            _overlay_live(root, [run.folder.path, *runs[1:]], run)
        ended = os.getloadavg()[0]
    print(f"terminal {SIZE[0]}×{SIZE[1]}; load average {began:.1f} at the start, {ended:.1f} at the end")


def _start(root: Path) -> None:
    """The empty start screen: seconds until it stands there, and CPU seconds, which other programs disturb less."""
    blank, ours = [], []
    for _ in range(STARTS + 1):
        blank.append(_seconds_until(_blank(root), "blank app"))
        ours.append(_seconds_until(_console(root), "? help"))
    del blank[0], ours[0]  # these compiled the modules
    for at, what in enumerate(("first paint, empty start screen", "  the same in CPU time")):
        theirs, own = (statistics.median(each[at] for each in series) for series in (blank, ours))
        _row(what, f"{theirs:.2f} s", f"{own:.2f} s", "")
        _row("  ratio", "1.00", f"{own / theirs:.2f}", "1.60")


def _load(root: Path, short: Path, whole: Path) -> None:
    """A finished run of 100,000 steps, until all of it stands in the first chart."""
    for folder, budget in ((short, "1.50 s"), (whole, "")):
        opened, cpu = [], []
        for _ in range(LOADS + 1):
            seconds, used = _seconds_until(_console(root, folder), "100,000/100,000", "Loss train 0.", "100k")
            opened.append(seconds)
            cpu.append(used)
        del opened[0], cpu[0]
        size = (folder / "logs" / "events-0001.jsonl").stat().st_size / 1e6
        _row(f"100k steps ({size:.0f} MB), all in the first chart", "", f"{statistics.median(opened):.2f} s", budget)
        _row("  the best one", "", f"{min(opened):.2f} s", "")
        _row("  CPU time", "", f"{statistics.median(cpu):.2f} s", "")


def _idle(root: Path, folder: Path) -> None:
    with _blank(root) as blank, _console(root, folder) as console:
        blank.wait_until_shown("blank app")
        console.wait_until_shown("100,000/100,000")
        _listen(2.0, blank, console)
        _row("bytes to the terminal until then", f"{len(blank.written):,}", f"{len(console.written):,}", "30,000")
        _row("resident memory", f"{blank.memory_mib():.0f} MiB", f"{console.memory_mib():.0f} MiB", "100 MiB")
        before = blank.cpu_seconds(), console.cpu_seconds()
        _listen(IDLE_SECONDS, blank, console)
        used = blank.cpu_seconds() - before[0], console.cpu_seconds() - before[1]
    shares = [f"{100 * each / IDLE_SECONDS:.2f} %" for each in used]
    _row("finished run, idle: CPU", *shares, "0.50 %")


def _live(root: Path, run: LiveRun) -> None:
    """An event a second: what it costs, and how long each takes to stand on the screen."""
    with _console(root, run.folder.path) as console:
        console.wait_until_shown(f"{run.step:,}/")
        _listen(3.0, console)
        bytes_before, cpu_before, began = len(console.written), console.cpu_seconds(), time.monotonic()
        delays = []
        for second in range(1, LIVE_SECONDS + 1):
            run.write_step()
            written = time.monotonic()
            console.wait_until_shown(f"{run.step:,}/")
            delays.append(time.monotonic() - written)
            _listen(began + second - time.monotonic(), console)
        seconds = time.monotonic() - began
        sent, used = len(console.written) - bytes_before, console.cpu_seconds() - cpu_before
    late = sorted(delays)[round(0.95 * (len(delays) - 1))]
    _row("live run, an event a second: CPU", "", f"{100 * used / seconds:.1f} %", "4.0 %")
    _row("  bytes a second to the terminal", "", f"{sent / seconds:.0f}", "700")
    _row("  event written to event shown, p95", "", f"{late:.2f} s", "1.00 s")


def _panels(root: Path, run: LiveRun) -> None:
    """The same with twelve panels of metrics on a large terminal, beside the run's own view there."""
    with (
        terminal(root, str(run.folder.path), size=LARGE, env=_compiled(root)) as usual,
        terminal(root, str(run.folder.path), size=LARGE, env=_compiled(root)) as panels,
    ):
        for console in (usual, panels):
            console.wait_until_shown(f"{run.step:,}/")
        panels.press(b"m")
        panels.wait_until_shown(" metrics")
        panels.press(f"/{TWELVE}\r".encode())
        panels.wait_until_shown("  12 of ")
        _listen(3.0, usual, panels)
        before, began = (usual.cpu_seconds(), panels.cpu_seconds()), time.monotonic()
        for second in range(1, PANEL_SECONDS + 1):
            run.write_step()
            _listen(began + second - time.monotonic(), usual, panels)
        seconds = time.monotonic() - began
        own, all_of_them = usual.cpu_seconds() - before[0], panels.cpu_seconds() - before[1]
    _row(f"an event a second at {LARGE[0]}×{LARGE[1]}: CPU", "", f"{100 * own / seconds:.1f} %", "4.0 %")
    _row("  twelve panels of metrics", "", f"{100 * all_of_them / seconds:.1f} %", "4.0 %")


def _overlay(root: Path, runs: Sequence[Path]) -> None:
    """Finished runs of 100,000 steps on the same axes: until the first and until all are drawn; then nothing to do."""
    _row(f"{len(runs)} runs of 100k steps on the same axes", "", "", "")
    for what in ("read for the first time", "and once more, with the summaries that leaves"):
        began = time.perf_counter()
        with _console(root, *runs) as console:
            console.wait_until_shown("100,000")
            first = time.perf_counter() - began
            console.wait_until_shown("8 run-8", 180)
            while "reading" in (shown := console.shown()) or shown.count("100,000") < len(runs):
                console.read(0.05)
            seconds, cpu = time.perf_counter() - began, console.cpu_seconds()
            _row(f"  {what}: the first, all", "", f"{first:.2f}, {seconds:.2f} s", "")
            _row("  CPU time", "", f"{cpu:.2f} s", "")
            _listen(3.0, console)
            _row("  resident memory", "", f"{console.memory_mib():.0f} MiB", "")
            before = console.cpu_seconds()
            _listen(IDLE_SECONDS, console)
            used = console.cpu_seconds() - before
    _row("  idle: CPU", "", f"{100 * used / IDLE_SECONDS:.2f} %", "0.50 %")


def _overlay_live(root: Path, targets: Sequence[Path], run: LiveRun) -> None:
    """One of the runs is live, an event a second."""
    with _console(root, *targets) as console:
        console.wait_until_shown("8 run-8", 180)
        while "reading" in console.shown():
            console.read(0.05)
        _listen(3.0, console)
        before, began = (len(console.written), console.cpu_seconds()), time.monotonic()
        for second in range(1, LIVE_SECONDS + 1):
            run.write_step()
            _listen(began + second - time.monotonic(), console)
        seconds = time.monotonic() - began
        sent, used = len(console.written) - before[0], console.cpu_seconds() - before[1]
    _row("  one of them live, an event a second: CPU", "", f"{100 * used / seconds:.1f} %", "4.0 %")
    _row("  bytes a second to the terminal", "", f"{sent / seconds:.0f}", "700")


def _blank(root: Path) -> AbstractContextManager[Terminal]:
    return terminal(root, size=SIZE, program=BLANK, env=_compiled(root))


def _console(root: Path, *target: Path) -> AbstractContextManager[Terminal]:
    return terminal(root, *map(str, target), size=SIZE, env=_compiled(root))


def _compiled(root: Path) -> dict[str, str]:
    """Modules are compiled once, as on a person's machine, whatever the environment of the bench forbids."""
    return {"PYTHONDONTWRITEBYTECODE": "", "PYTHONPYCACHEPREFIX": str(root / "compiled")}


def _seconds_until(started: AbstractContextManager[Terminal], *texts: str) -> tuple[float, float]:
    """Seconds, and CPU seconds, from the start of the process until all of the texts stand on its screen."""
    began = time.perf_counter()
    with started as program:
        for text in texts:
            program.wait_until_shown(text)
        return time.perf_counter() - began, program.cpu_seconds()


def _listen(seconds: float, *programs: Terminal) -> None:
    """Take in what they write for so long."""
    until = time.monotonic() + seconds
    while (left := until - time.monotonic()) > 0:
        for program in programs:
            program.read(left / len(programs))


def _row(what: str, blank: str, ours: str, budget: str) -> None:
    print(f"{what:<48}{blank:>12}{ours:>12}{budget:>12}", flush=True)


if __name__ == "__main__":
    main()
