"""What the event log costs: milliseconds a step record, and its share of a step's time.

python -m tests.bench.events [RECORDS]
"""

from __future__ import annotations

import statistics
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from vlmft_core.run_folder.events import STEP, EventWriter

BUDGET_P99 = 1.0
"""Milliseconds."""
BUDGET_SHARE = 0.005
STEP_SECONDS = 0.35
"""A short step, such as the demo's on two fast cores: a GPU's take seconds."""


def record(step: int) -> dict[str, Any]:
    """A step's figures, as full of digits as real ones."""
    wave = (step * 0.6180339887) % 1.0
    return {
        "step": step,
        "epoch": step / 391,
        "loss": 3 / (1 + step) + wave,
        "lr": 4e-5 * wave,
        "grad_norm": 0.3 + wave,
        "step_s": 2 + wave,
        "data_s": wave / 10,
        "samples_per_s": 60 + wave,
        "tokens_per_s": 51234 + wave,
        "supervised_tokens": 512,
        "mfu": 0.4 + wave / 100,
        "skipped_steps": 0,
        "mem_gib": 61 + wave,
    }


def main() -> None:
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 20_000
    times = []
    with tempfile.TemporaryDirectory(dir=".") as folder:
        writer = EventWriter(Path(folder) / "events-0001.jsonl")
        for step in range(count):
            fields = record(step)
            start = time.perf_counter()
            writer.write(STEP, **fields)
            times.append((time.perf_counter() - start) * 1000)
        writer.close()
    times.sort()
    p50, p99 = statistics.median(times), times[int(0.99 * count)]
    share = statistics.fmean(times) / 1000 / STEP_SECONDS
    print(f"{'event log':<34}{'measured':>10}{'budget':>9}")
    print(f"{'a step record, p50':<34}{p50:>7.3f} ms")
    print(f"{'a step record, p99':<34}{p99:>7.3f} ms{BUDGET_P99:>6.1f} ms")
    print(f"{'slowest (may sync the disk)':<34}{times[-1]:>7.1f} ms")
    print(f"{'share of a step of 0.35 s':<34}{share:>9.4%}{BUDGET_SHARE:>9.1%}")


if __name__ == "__main__":
    main()
