"""How long a log of 100,000 steps takes to read, from the start of the process, and to move about in; its memory."""

from __future__ import annotations

import math
import random
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import orjson

from vlmft_console.runs.folder import RunFolder

STEPS = 100_000
ROUNDS = 5
SEEKS = 300

PARSED = """
import sys, orjson
for line in open(sys.argv[1], "rb"):
    orjson.loads(line)
"""
"""The least that any reader does; what the load is compared with."""

LOADED = """
import sys
from pathlib import Path
from vlmft_console.history.opened import open_log
from vlmft_console.history.state import RunState
log = open_log(Path(sys.argv[1]))
state = RunState(log.monitor)
for batch in log.reader.batches():
    state.apply_all(batch)
assert state.step == len(state.train_loss) == len(state.smooth_loss) and state.end
"""

REPLAYED = f"""
import random, sys, time
from pathlib import Path
from vlmft_console.history.opened import open_log
from vlmft_console.history.replay import Replay
began = time.perf_counter()
replay = Replay(open_log(Path(sys.argv[1])).reader.batches())
print(time.perf_counter() - began)
chance = random.Random(1)
for _ in range({SEEKS}):
    place = chance.randrange(replay.length + 1)
    began = time.perf_counter()
    replay.seek(place)
    print(time.perf_counter() - began)
"""

MEMORY = """
print(next(int(line.split()[1]) for line in open("/proc/self/status") if line.startswith("VmHWM:")))
"""


def main() -> None:
    with tempfile.TemporaryDirectory() as root:
        path = Path(root) / "run"
        log = RunFolder(path).events_file()
        log.parent.mkdir(parents=True)
        log.write_bytes(b"".join(orjson.dumps(record) + b"\n" for record in records()))
        size = log.stat().st_size / 1e6
        parsed, loaded = [], []
        for _ in range(ROUNDS):
            parsed.append(timed(PARSED, log)[0])
            seconds, printed = timed(LOADED + MEMORY, path)
            loaded.append(seconds)
        _, replayed = timed(REPLAYED + MEMORY, path)
    load_mib, replay_mib = float(printed[-1]) / 1024, float(replayed[-1]) / 1024
    replay_s, *seeks = (float(line) for line in replayed[:-1])
    seeks.sort()
    floor, load = statistics.median(parsed), statistics.median(loaded)
    print(f"{f'{STEPS:,} steps, {size:.0f} MB':<36}{'measured':>12}{'ratio':>8}{'budget':>10}")
    row("parse alone, from process start", f"{floor:.2f} s", "1.00", "")
    row("complete state, from process start", f"{load:.2f} s", f"{load / floor:.2f}", "0.80 s")
    row("memory at most, state", f"{load_mib:.0f} MiB", "", "")
    row("replay, reading", f"{replay_s:.2f} s", "", "")
    row("replay, seek, median", f"{1000 * statistics.median(seeks):.0f} ms", "", "")
    row("replay, seek, p95", f"{1000 * seeks[round(0.95 * len(seeks))]:.0f} ms", "", "")
    row("replay, seek, longest", f"{1000 * seeks[-1]:.0f} ms", "", "200 ms")
    row("memory at most, replay", f"{replay_mib:.0f} MiB", "", "")


def row(label: str, measured: str, ratio: str, budget: str) -> None:
    print(f"{label:<36}{measured:>12}{ratio:>8}{budget:>10}")


def timed(program: str, path: Path) -> tuple[float, list[str]]:
    """Seconds that a fresh process takes, and the lines it prints."""
    began = time.perf_counter()
    done = subprocess.run([sys.executable, "-c", program, str(path)], check=True, capture_output=True, text=True)
    return time.perf_counter() - began, done.stdout.splitlines()


def records(steps: int = STEPS) -> Iterator[dict[str, Any]]:
    """A healthy run with every field that the trainer writes; of at least 20 steps."""
    chance = random.Random(7)
    warmup = steps // 20
    plan = {"total_steps": steps, "steps_per_epoch": steps // 5, "warmup_steps": warmup, "scheduler": "cosine"}
    yield stamped("run_start", 0, run_id="bench", segment=1, resumed_from=None, world_size=2)
    yield stamped("plan", 0, **plan, epochs=5, peak_lr=1e-4, effective_batch=16, eval_steps=1000)
    for step in range(1, steps + 1):
        warm, done = step / warmup, (step - warmup) / (steps - warmup)
        yield stamped(
            "step",
            step,
            step=step,
            epoch=5 * step / steps,
            loss=0.5 + 2 * math.exp(-5 * step / steps) + chance.gauss(0, 0.02),
            lr=1e-4 * min(warm, (1 + math.cos(math.pi * max(0.0, done))) / 2),
            grad_norm=chance.uniform(0.3, 0.7),
            step_s=chance.uniform(0.4, 0.6),
            data_s=chance.uniform(0.0, 0.02),
            samples_per_s=chance.uniform(30, 34),
            tokens_per_s=chance.uniform(12_000, 13_000),
            supervised_tokens=step * 100,
            skipped_steps=0,
            mem_gib=41.5,
        )
        if step % 20 == 0:
            yield stamped("heartbeat", step, step=step, phase="step")
        if step % 1000 == 0:
            loss = 0.6 + 2 * math.exp(-5 * step / steps)
            yield stamped("eval", step, step=step, epoch=5 * step / steps, eval_loss=loss, token_accuracy=0.8)
            yield stamped("checkpoint", step, step=step, path=f"checkpoint-{step}", eval_loss=loss)
    yield stamped("run_end", steps, status="finished", reason="", best_step=steps, best_eval_loss=0.61)


def stamped(event: str, after: int, /, **fields: Any) -> dict[str, Any]:
    """A record, half a second for each step after the start."""
    return {"v": 1, "seq": after, "t": 1.7e9 + after / 2, "mono": 1e4 + after / 2, "event": event, **fields}


if __name__ == "__main__":
    main()
