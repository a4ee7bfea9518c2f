"""A recorded run with everything in it that a screen can show; the same figures every time."""

from __future__ import annotations

import json
import math
import random
from collections.abc import Iterator
from pathlib import Path

from tests import records
from vlmft_console.runs.folder import Command, RunFolder
from vlmft_core.learning_rate import RatePlan, planned_rate
from vlmft_core.run_folder.events import Record

BEGAN = 1_767_312_000.0
"""Unix time of the first event: 2026-01-02 00:00 UTC."""
STEP_SECONDS = 2.0


def sample_records(steps: int = 2000, total: int = 2400, *, rising: bool = True) -> Iterator[Record]:
    """Events of a run of 6 epochs so far: a spike, a non-finite step, evals that rise in the end, GPUs, checkpoints.

    Args:
        steps: so many are done.
        total: so many are planned.
        rising: whether the eval loss rises from the middle on.
    """
    dice = random.Random(7)
    seq = 0

    def record(event: str, at: int, **fields: object) -> Record:
        nonlocal seq
        seq += 1
        spent = at * STEP_SECONDS
        return records.record(event, seq - 1, t=BEGAN + spent, mono=100.0 + spent, **fields)

    epoch_steps = total // 6
    yield record("run_start", 0, run_id="0" * 32, segment=1, host="node1", boot_id="x", world_size=8)
    yield record(
        "plan",
        0,
        total_steps=total,
        steps_per_epoch=epoch_steps,
        warmup_steps=round(0.06 * total),
        epochs=6.0,
        scheduler="cosine",
        peak_lr=4e-5,
        effective_batch=128,
    )
    yield record("note", 0, message="flash-attn is not usable here: [b]sdpa[/b] takes its place")
    for step in range(1, steps + 1):
        rate = planned_rate(RatePlan(total, round(0.06 * total), 4e-5, "cosine"), step)
        loss: float | None = 5.0 + 2.4 * math.exp(-step / 500) + dice.gauss(0, 0.12)
        norm = 0.6 + 0.5 * math.exp(-step / 200) + dice.random() * 0.15
        nonfinite = {}
        if step == 777:
            loss, norm = 50.0, 31.0
        if step == 1200:
            loss, nonfinite = None, {"nonfinite": ["loss"]}
        yield record(
            "step",
            step,
            step=step,
            epoch=step / epoch_steps,
            loss=loss,
            lr=rate,
            grad_norm=norm,
            step_s=STEP_SECONDS,
            data_s=0.1,
            samples_per_s=62.0 + dice.gauss(0, 2),
            tokens_per_s=31_000.0,
            skipped_steps=0,
            mem_gib=61.0 + dice.random(),
            **nonfinite,
        )
        if step % 50 == 0:
            yield record("gpu", step, gpus=[_gpu(index, dice) for index in range(8)])
            yield record("host", step, hosts=[_host(step)])
        if step % 100 == 0:
            rise = 0.0015 * max(0, step - 1300) if rising else 0.0
            eval_loss = 5.15 + 2.3 * math.exp(-step / 450) + rise
            accuracy = 0.4 + 0.2 * (1 - math.exp(-step / 700)) - rise / 20
            yield record(
                "eval",
                step,
                step=step,
                epoch=step / epoch_steps,
                eval_loss=eval_loss,
                token_accuracy=accuracy,
                samples=2000,
                runtime_s=40.0,
            )
            kept = list(range(max(100, step - 400), step + 1, 100))
            yield record(
                "checkpoint",
                step,
                step=step,
                path=f"checkpoint-{step}",
                eval_loss=eval_loss,
                bytes=48_000_000,
                kept=kept,
            )


def sample_log_lines(steps: int = 200) -> str:
    """What the ranks print, with a few things in it that a terminal must not obey."""
    lines = [
        f"{{'loss': {5 + 2 / step:.4f}, 'learning_rate': 4e-05, 'epoch': {step / 400:.2f}}}" for step in range(1, steps)
    ]
    lines[-3:-3] = ["\x1b[31mred\x1b[0m and \x1b]0;title\x07", "[bold]not bold[/bold] [@click=app.quit]quit[/]"]
    return "\n".join(lines) + "\n"


def make_sample(root: Path, name: str = "best-sample", *, ended: str = "stopped", **options: object) -> RunFolder:
    """The same as a run folder of a run that has ended."""
    folder = RunFolder.create(root, name)
    folder.write_run(preset_name="best", preset_text="{}\n", command=Command(("true",), {}))
    records.write_log(folder.events_file(), sample_records(**options))  # type: ignore[arg-type]
    (folder.logs / "training_20260102T000000Z.log").write_text(sample_log_lines())
    folder.exit_file.write_text(json.dumps({"status": ended, "reason": "asked to", "exit_code": 0}))
    return folder


def _gpu(index: int, dice: random.Random) -> dict[str, float]:
    return {
        "index": index,
        "util": round(90 + 9 * dice.random()),
        "mem_gib": 66.0 + dice.random(),
        "mem_total_gib": 80.0,
        "power_w": 380.0 + index,
        "temp_c": 61.0 + index,
    }


def _host(step: int) -> dict[str, object]:
    return {
        "index": 0,
        "name": "[b]node-1[/b]",
        "cpu": 30.0 + step % 400 / 10,
        "mem_gib": 120.0 + step / 100,
        "mem_total_gib": 512.0,
        "disk_free_gib": 900.0 - step / 100,
        "disk_total_gib": 2000.0,
    }
