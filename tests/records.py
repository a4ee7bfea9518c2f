"""Event records for tests, with what every record has filled in, and logs of them."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from vlmft_core.run_folder.events import Record


def record(event: str, seq: int = 0, **fields: Any) -> Record:
    return {"v": 1, "seq": seq, "t": 1000.0 + seq, "mono": 10.0 + seq, "event": event, **fields}


def step(number: int, loss: float | None = 1.0, **fields: Any) -> Record:
    return record(
        "step",
        number,
        **{"step": number, "epoch": number / 10, "loss": loss, "lr": 1e-4, "grad_norm": 0.5, **fields},
    )


def plan(total: int = 100, **fields: Any) -> Record:
    return record(
        "plan",
        **{
            "total_steps": total,
            "steps_per_epoch": total // 2,
            "warmup_steps": 6,
            "peak_lr": 1e-4,
            "scheduler": "constant",
            **fields,
        },
    )


def run_start(segment: int = 1, resumed_from: int | None = None) -> Record:
    return record("run_start", run_id="x", segment=segment, resumed_from=resumed_from)


def evaluated(number: int, loss: float | None, **fields: Any) -> Record:
    return record("eval", **{"step": number, "epoch": number / 10, "eval_loss": loss, **fields})


def write_log(path: Path, records: Iterable[Record]) -> Path:
    """Write an event log, and the folder that it is in."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(json.dumps(one) + "\n" for one in records))
    return path
