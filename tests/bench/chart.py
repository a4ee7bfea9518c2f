"""Milliseconds a chart takes to draw, and bytes a second four live charts send to a terminal.

python -m tests.bench.chart            prints a table
python -m tests.bench.chart --app N    the app under test: four charts, N steps of history, one new step a second
"""

from __future__ import annotations

import fcntl
import math
import os
import pty
import random
import select
import struct
import subprocess
import sys
import termios
import time
from collections.abc import Callable
from pathlib import Path

from vlmft_console.charts import raster
from vlmft_console.charts.draw import draw
from vlmft_console.charts.run_charts import CHARTS
from vlmft_console.charts.view import View
from vlmft_console.history.state import RunState
from vlmft_core.learning_rate import RatePlan, planned_rate

WIDTH, HEIGHT = 58, 14
SECONDS = 30
COLUMNS, LINES = 120, 32


def main() -> None:
    if "--app" in sys.argv:
        _app(int(sys.argv[sys.argv.index("--app") + 1]))
        return
    print(f"{'steps':>9} {'chart':<11} {'first ms':>9} {'again ms':>9} {'new point ms':>13}")
    for steps in (1_000, 100_000):
        state = filled(steps)
        for name in ("loss", "lr", "grad_norm", "throughput"):
            print(f"{steps:9,} {name:<11}", *(f"{each:9.2f}" for each in _drawing(state, name, steps)))
    print(
        f"\n{'steps':>9} {'load bytes':>11} {'bytes/s':>8} {'CPU %':>6}   four charts, one step a second, {SECONDS} s"
    )
    for steps in (100, 1_000, 100_000):
        loaded, rate, cpu = _live(steps)
        print(f"{steps:9,} {loaded:11,} {rate:8,.0f} {cpu:6.1f}")


def filled(steps: int) -> RunState:
    """A run that has done `steps` of a quarter more, with noise, evals and one spike."""
    state, generator = RunState(), random.Random(1)
    total = steps * 5 // 4
    plan = {"total_steps": total, "warmup_steps": total // 16, "peak_lr": 4e-5, "scheduler": "cosine"}
    extra = {"steps_per_epoch": total // 6, "epochs": 6.0, "effective_batch": 32}
    state.apply({"v": 1, "seq": 0, "t": 0.0, "mono": 0.0, "event": "plan", **plan, **extra})
    for step in range(1, steps + 1):
        add_step(state, step, steps, generator)
    return state


def add_step(state: RunState, step: int, steps: int, generator: random.Random) -> None:
    """Apply one more step, and an eval at every twelfth of the run."""
    total, share = steps * 5 // 4, step / steps
    head = {"v": 1, "seq": step, "t": float(step), "mono": float(step), "step": step, "epoch": share * 5}
    loss = 0.4 + 2.2 * math.exp(-6 * share) + generator.gauss(0, 0.12)
    rate = planned_rate(RatePlan(total, total // 16, 4e-5, "cosine"), step)
    speed = {"step_s": 1.0, "data_s": 0.1, "samples_per_s": generator.gauss(31, 1), "mem_gib": 61.0}
    values = {
        "loss": 50.0 if step == steps * 3 // 4 else loss,
        "lr": rate,
        "grad_norm": math.exp(generator.gauss(-1, 0.4)),
    }
    state.apply({**head, "event": "step", **values, **speed})
    if step % max(1, steps // 12) == 0:
        state.apply({**head, "event": "eval", "eval_loss": 0.5 + 2 * math.exp(-6 * share), "tasks": {}})


def _drawing(state: RunState, name: str, steps: int) -> tuple[float, float, float]:
    chart, generator, count = CHARTS[name].of, random.Random(2), 20

    def first() -> None:
        raster.raster.cache_clear()
        draw(chart(state), View(), WIDTH, HEIGHT)

    def again() -> None:
        draw(chart(state), View(), WIDTH, HEIGHT)

    new = 0.0
    for _ in range(count):
        add_step(state, state.step + 1, steps, generator)
        began = time.process_time()
        again()
        new += time.process_time() - began
    return _milliseconds(first, count), _milliseconds(again, count), new / count * 1e3


def _milliseconds(work: Callable[[], None], count: int) -> float:
    began = time.process_time()
    for _ in range(count):
        work()
    return (time.process_time() - began) / count * 1e3


def _live(steps: int) -> tuple[int, float, float]:
    """Bytes to the first quiet moment, then bytes a second and share of one CPU over `SECONDS`."""
    leader, follower = pty.openpty()
    fcntl.ioctl(follower, termios.TIOCSWINSZ, struct.pack("HHHH", LINES, COLUMNS, 0, 0))
    environment = {**os.environ, "TERM": "xterm-256color", "COLORTERM": "truecolor"}
    command = [sys.executable, "-m", "tests.bench.chart", "--app", str(steps)]
    child = subprocess.Popen(command, stdin=follower, stdout=follower, stderr=follower, env=environment)
    os.close(follower)
    loaded = _read(leader, 120.0, until=b"Throughput")
    loaded += _read(leader, 3.0)
    began, cpu = time.monotonic(), _cpu(child.pid)
    sent = _read(leader, SECONDS)
    spent = time.monotonic() - began
    used = _cpu(child.pid) - cpu
    child.terminate()
    child.wait()
    os.close(leader)
    return loaded, sent / spent, 100 * used / spent


def _read(leader: int, seconds: float, until: bytes = b"") -> int:
    count, tail, end = 0, b"", time.monotonic() + seconds
    while (left := end - time.monotonic()) > 0:
        if select.select([leader], [], [], left)[0]:
            chunk = os.read(leader, 65536)
            count, tail = count + len(chunk), (tail + chunk)[-65600:]
            if until and until in tail:
                break
    return count


def _cpu(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def _app(steps: int) -> None:
    from textual.app import App, ComposeResult
    from textual.containers import Grid

    from vlmft_console.app.themes import DARK
    from vlmft_console.app.widgets.base.chart import Chart

    class Live(App[None]):
        CSS = "Grid { grid-size: 2; grid-gutter: 0 1; }"
        ENABLE_COMMAND_PALETTE = False

        def __init__(self) -> None:
            super().__init__()
            self.register_theme(DARK)
            self.theme = DARK.name
            self.state, self.generator = filled(steps), random.Random(3)

        def compose(self) -> ComposeResult:
            with Grid():
                for name in ("loss", "lr", "grad_norm", "throughput"):
                    yield Chart(id=name)

        def on_mount(self) -> None:
            self.set_interval(1.0, self.step)
            self.call_after_refresh(self.step)

        def step(self) -> None:
            add_step(self.state, self.state.step + 1, steps, self.generator)
            for chart in self.query(Chart):
                assert chart.id is not None
                chart.show(CHARTS[chart.id].of(self.state))

    Live().run()


if __name__ == "__main__":
    main()
