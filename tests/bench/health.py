"""What judging costs beside reading: 100,000 steps through the health rules, and through the log's parser."""

from __future__ import annotations

import copy
import random
import time
from collections.abc import Callable
from typing import Any

import orjson

from vlmft_core.health import Health
from vlmft_core.learning_rate import RatePlan, planned_rate
from vlmft_core.run_folder.events import Record, parse

STEPS = 100_000
BUDGET = 3.0
"""Microseconds a step."""
PLAN = {"total_steps": STEPS, "warmup_steps": 6000, "scheduler": "cosine"}


def records(scale: float) -> list[Record]:
    """A healthy run whose gradient norms have a median of `scale`."""
    rng = random.Random(1)
    plan = {"v": 1, "seq": 0, "t": 0.0, "event": "plan", "steps_per_epoch": 5000, "peak_lr": 4e-5, **PLAN}
    found = [plan]
    for step in range(1, STEPS + 1):
        head = {"v": 1, "seq": step, "t": float(step), "mono": float(step), "step": step, "epoch": step / 5000}
        loss, rate = 1 + rng.random() / 10, planned_rate(RatePlan(peak_lr=4e-5, **PLAN), step)
        norm = scale * rng.lognormvariate(0, 0.5)
        figures = {"loss": loss, "lr": rate, "grad_norm": norm, "step_s": 1.0, "data_s": 0.1, "skipped_steps": 0}
        found.append({**head, "event": "step", **figures})
        if step % 250 == 0:
            found.append({**head, "event": "eval", "eval_loss": 1.1 + rng.random() / 100, "token_accuracy": 0.5})
    return found


def seconds(make: Callable[[], Callable[[Any], object]], items: list[Any]) -> float:
    """The best of three, each with what `make` gives anew."""
    took = []
    for _ in range(3):
        call = make()
        began = time.process_time()
        for item in items:
            call(item)
        took.append(time.process_time() - began)
    return min(took)


def main() -> None:
    print(f"{'a step of 100,000':<40}{'microseconds':>14}{'budget':>8}")
    for label, scale in (("healthy gradients", 0.5), ("gradients about the caution", 2.0), ("large ones", 40.0)):
        found = records(scale)
        took = seconds(lambda: Health().feed, found)
        print(f"{f'health rules, {label}':<40}{1e6 * took / STEPS:>14.2f}{BUDGET:>8}")
    lines = [orjson.dumps(record) for record in found]
    print(f"{'parsing the line, to compare':<40}{1e6 * seconds(lambda: parse, lines) / STEPS:>14.2f}")
    health = Health()
    for record in found:
        health.feed(record)
    began = time.process_time()
    for _ in range(1000):
        copy.deepcopy(health)
    print(f"{'a copy of the rules':<40}{1e3 * (time.process_time() - began):>14.1f}")


if __name__ == "__main__":
    main()
