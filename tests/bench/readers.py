"""How long `vlmft check` takes over W&B's and TensorBoard's files of 100,000 steps, beside those programs themselves.

python -m tests.bench.readers --rivals BIN    BIN: where `wandb` and `tensorboard` are

LEET's time is until its screen shows the last step of a finished run; TensorBoard's until its HTTP API has served every
train loss. The three take turns.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import random
import signal
import socket
import statistics
import subprocess
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

from tests.bench.check import VLMFT, loss, measure, rate, size
from tests.console.foreign_logs import field, history, scalar, summary, tensorboard, wandb
from tests.in_terminal import terminal

STEPS = 100_000
ROUNDS = 3
BUDGET = 1.5
SIZE = (120, 40)
Costs = tuple[float, float]
"""Seconds from the start, and CPU seconds, which other programs disturb less."""
RUN = b"\x08\x01" + field(17, field(1, b"bench") + field(3, b"bench"))
FINISHED = b"\x08\x02" + field(18, b"\x10\x01")


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--rivals", type=Path, help="folder with their programs; without it they are left out")
    rivals = parser.parse_args().rivals
    with tempfile.TemporaryDirectory() as name:
        root = Path(name)
        for title, file, written, rival, costs in (
            ("wandb leet, complete screen", "run-bench.wandb", _wandb(), "wandb", leet_costs),
            ("tensorboard, from its API", "events.out.tfevents.1", _tensorboard(), "tensorboard", board_costs),
        ):
            log = root / file.partition(".")[0] / file
            log.parent.mkdir()
            log.write_bytes(written)
            program = rivals and rivals / rival
            _compare(log, title, program if program and program.exists() else None, costs)


def _compare(log: Path, title: str, program: Path | None, rival: Callable[[Path, Path], Costs]) -> None:
    ours, theirs = [], []
    for _ in range(ROUNDS):
        before = os.times()
        seconds, _ = measure([VLMFT, "check", str(log)])
        after = os.times()
        cpu = after.children_user + after.children_system - before.children_user - before.children_system
        ours.append((seconds, cpu))
        if program:
            theirs.append(rival(program, log))
    check = [statistics.median(each) for each in zip(*ours, strict=True)]
    heads = f"{'seconds':>9}{'budget':>8}{'ratio':>8}{'CPU s':>8}{'ratio':>8}"
    print(f"{f'100,000 steps, {log.name}, {size(log)}':<52}{heads}")
    _row("vlmft check, the middle one of three", check, check, str(BUDGET))
    if theirs:
        _row(title, [statistics.median(each) for each in zip(*theirs, strict=True)], check, "")


def _row(label: str, costs: Sequence[float], check: Sequence[float], budget: str) -> None:
    seconds, cpu = costs
    ratios = seconds / check[0], cpu / check[1]
    print(f"{label:<52}{seconds:>9.2f}{budget:>8}{ratios[0]:>8.2f}{cpu:>8.2f}{ratios[1]:>8.2f}", flush=True)


def leet_costs(program: Path, log: Path) -> Costs:
    """Until LEET shows the last step, and that the run has finished."""
    began = time.perf_counter()
    environment = {"WANDB_ERROR_REPORTING": "false"}
    with terminal(log.parent, "leet", str(log), size=SIZE, program=(str(program),), env=environment) as screen:
        screen.wait_until_shown(str(STEPS - 1), seconds=300)
        screen.wait_until_shown("Finished", seconds=300)
        return time.perf_counter() - began, _cpu_seconds(screen.pid)


def board_costs(program: Path, log: Path) -> Costs:
    """From the start of a server until it has served all the train losses."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    every_point = f"--samples_per_plugin=scalars={STEPS}"
    command = [str(program), "--logdir", str(log.parent), "--port", str(port), every_point]
    url = f"http://127.0.0.1:{port}/data/plugin/scalars/scalars?tag=train%2Floss&run=."
    silent = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    began = time.perf_counter()
    server = subprocess.Popen(command, start_new_session=True, **silent)
    try:
        while _served(url) < STEPS:
            time.sleep(0.02)
        return time.perf_counter() - began, _cpu_seconds(server.pid)
    finally:
        os.killpg(server.pid, signal.SIGKILL)
        server.wait()


def _cpu_seconds(session: int) -> float:
    """What all processes of a session, and those they have waited for, have used so far."""
    total = 0
    for place in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = place.read_text().rpartition(")")[2].split()
        except OSError:  # it ended a moment ago
            continue
        if int(fields[3]) == session:
            total += sum(map(int, fields[11:15]))
    return total / os.sysconf("SC_CLK_TCK")


def _served(url: str) -> int:
    """Points that the server has for a tag by now."""
    try:
        with urllib.request.urlopen(url, timeout=60) as answer:
            return len(json.load(answer))
    except (urllib.error.URLError, ConnectionError, TimeoutError):
        return 0


def _values(step: int) -> dict[str, Any]:
    """What the Hugging Face trainer logs."""
    return {
        "loss": loss(step),
        "grad_norm": 0.5 + 0.2 * math.sin(step),
        "learning_rate": rate(step, STEPS),
        "epoch": step / STEPS * 4,
    }


def _tensorboard() -> bytes:
    return tensorboard(
        *(scalar(f"train/{name}", value, step) for step in range(1, STEPS + 1) for name, value in _values(step).items())
    )


def _wandb() -> bytes:
    """As wandb 0.31 writes it: two summaries and a history record a step, the names in any order."""
    return wandb(RUN, *_wandb_steps(), FINISHED)


def _wandb_steps() -> Iterator[bytes]:
    chance = random.Random(3)
    for step in range(1, STEPS + 1):
        values = {f"train/{name}": value for name, value in _values(step).items()}
        values |= {"train/global_step": step, "_step": step - 1, "_timestamp": 1.7e9 + step / 2, "_runtime": step / 2}
        shuffled = dict(chance.sample(list(values.items()), len(values)))
        yield summary(_runtime=step // 2)
        yield summary(**shuffled)
        yield history(**shuffled)


if __name__ == "__main__":
    main()
