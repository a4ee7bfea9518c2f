"""How long `vlmft check` takes over an event log of 100,000 steps and a stdout log of 1 GB, and in how much memory.

A plain loop over the same bytes stands beside each: `json.loads` a line, and `wc -l`.
"""

from __future__ import annotations

import json
import math
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

STEPS = 100_000
EVENT_LOG_S = 1.0
STDOUT_BYTES = 1_000_000_000
STDOUT_MB_S = 40
MEMORY_MB = 150
VLMFT = str(Path(sys.executable).with_name("vlmft"))
PLAIN_LOOP = "import json, sys\nfor line in open(sys.argv[1], 'rb'): json.loads(line)"


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        log = Path(folder) / "log"
        write_events(log)
        events_table(log)
        write_stdout(log, STDOUT_BYTES, every=10)
        stdout_table(log, "a dict every 10 steps")
        write_stdout(log, STDOUT_BYTES // 10, every=1)
        stdout_table(log, "a dict every step")


def events_table(log: Path) -> None:
    help_s, _ = measure([VLMFT, "--help"])
    runs = sorted(measure([VLMFT, "check", str(log)]) for _ in range(3))
    loop_s, _ = measure([sys.executable, "-c", PLAIN_LOOP, str(log)])
    check_s, megabytes = runs[1]
    ratio = check_s / loop_s
    print(f"{f'100,000 steps, {size(log)}':<42}{'seconds':>9}{'budget':>8}{'ratio':>8}{'MB':>6}")
    print(f"{'vlmft check, the middle one of three':<42}{check_s:>9.2f}{EVENT_LOG_S:>8}{ratio:>8.2f}{megabytes:>6.0f}")
    print(f"{'json.loads, line by line':<42}{loop_s:>9.2f}{'':>8}{1:>8}")
    print(f"{'vlmft --help, which is part of it':<42}{help_s:>9.2f}")


def stdout_table(log: Path, label: str) -> None:
    seconds, megabytes = measure([VLMFT, "check", str(log)])
    count_s, _ = measure(["wc", "-l", str(log)])
    megabyte = log.stat().st_size / 1e6
    speed, plain = megabyte / seconds, megabyte / count_s
    print(f"\n{f'stdout, {size(log)}, {label}':<42}{'MB/s':>9}{'budget':>8}{'ratio':>8}{'MB':>6}{'budget':>8}")
    print(f"{'vlmft check':<42}{speed:>9.0f}{STDOUT_MB_S:>8}{plain / speed:>8.0f}{megabytes:>6.0f}{MEMORY_MB:>8}")
    print(f"{'wc -l':<42}{plain:>9.0f}{'':>8}{1:>8}")


def measure(argv: list[str]) -> tuple[float, float]:
    """Seconds from start to exit, and peak resident memory in MB."""
    began = time.perf_counter()
    child = subprocess.Popen(argv, stdout=subprocess.DEVNULL)
    _, status, usage = os.wait4(child.pid, 0)
    child.returncode = os.waitstatus_to_exitcode(status)
    assert child.returncode in (0, 3), argv
    return time.perf_counter() - began, usage.ru_maxrss / 1000


def size(path: Path) -> str:
    return f"{path.stat().st_size / 1e6:,.0f} MB"


def write_events(path: Path) -> None:
    """A run of ours: a step record each step, an eval every 1,000."""
    with path.open("w") as file:
        seq = 0

        def write(event: str, **fields: object) -> None:
            nonlocal seq
            record = {"v": 1, "seq": seq, "t": 1.7e9 + seq / 2, "mono": seq / 2, "event": event, **fields}
            file.write(json.dumps(record, separators=(",", ":")) + "\n")
            seq += 1

        write("run_start", run_id="0" * 32, segment=1, world_size=8)
        write("plan", total_steps=STEPS, steps_per_epoch=STEPS // 4, warmup_steps=6000, peak_lr=4e-5, epochs=4)
        for step in range(1, STEPS + 1):
            write(
                "step",
                step=step,
                epoch=step / STEPS * 4,
                loss=loss(step),
                lr=rate(step, STEPS),
                grad_norm=0.5 + 0.2 * math.sin(step),
                step_s=0.5,
                data_s=0.01,
                samples_per_s=256.0,
                tokens_per_s=90000.0,
                supervised_tokens=2000,
                skipped_steps=0,
                mem_gib=61.5,
            )
            if step % 1000 == 0:
                write("eval", step=step, epoch=step / STEPS * 4, eval_loss=loss(step) + 0.05, samples=500)
        write("run_end", status="finished", reason="")


def write_stdout(path: Path, length: int, *, every: int) -> None:
    """A Hugging Face run: a bar each step, glued with carriage returns, and dicts among them."""
    total = 10_000_000

    def piece(step: int) -> str:
        bar = f"\r {step / total:4.0%}|{'█' * (step * 20 // total):<20}| {step}/{total} [12:38<22:43:10,  1.57it/s]"
        if step % every:
            return bar
        values = {
            "loss": round(loss(step), 4),
            "grad_norm": 0.5 + 0.2 * math.sin(step),
            "learning_rate": rate(step, total),
            "epoch": round(step / total * 4, 4),
        }
        return f"{bar}\r{' ' * 80}\r{values}\n{bar}"

    written = step = 0
    with path.open("w", encoding="utf-8") as file:
        while written < length:
            text = "".join(piece(number) for number in range(step + 1, step + 1001))
            step += 1000
            file.write(text)
            written += len(text.encode())


def loss(step: int) -> float:
    return 0.3 + 3 / (1 + step / 2000) + 0.05 * math.sin(step * 0.7)


def rate(step: int, total: int) -> float:
    warmup = 0.06 * total
    return 4e-5 * (step / warmup if step < warmup else (1 + math.cos(math.pi * (step - warmup) / (total - warmup))) / 2)


if __name__ == "__main__":
    main()
