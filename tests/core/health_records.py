"""Records for the tests of the health rules: a healthy run of their own plan."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from tests.records import record
from vlmft_core.health import Finding, Health
from vlmft_core.learning_rate import planned_rate, rate_plan
from vlmft_core.preset import Monitor, Preset
from vlmft_core.run_folder.events import Record

TOTAL = 1000
PLAN: dict[str, Any] = {
    "total_steps": TOTAL,
    "steps_per_epoch": 200,
    "warmup_steps": 60,
    "peak_lr": 4e-5,
    "scheduler": "cosine",
    "trainable_params": 8_257_536,
}


def start(resumed_from: int | None = None, preset: Preset | None = None) -> list[Record]:
    """What a segment begins with."""
    data = (preset or Preset()).model_dump(mode="json")
    return [
        record("run_start", run_id="r", segment=1, resumed_from=resumed_from, preset=data),
        record("plan", **PLAN),
    ]


def step(number: int, **fields: Any) -> Record:
    """A healthy step; `fields` say what is not."""
    plan = rate_plan(PLAN)
    assert plan is not None
    healthy = {
        "epoch": number / PLAN["steps_per_epoch"],
        "loss": 2.0,
        "lr": planned_rate(plan, number),
        "grad_norm": 0.5,
        "step_s": 1.0,
        "data_s": 0.1,
        "skipped_steps": 0,
        "mono": float(number),
    }
    return record("step", step=number, **(healthy | fields))


def evaluated(number: int, loss: float | None, **fields: Any) -> Record:
    return record("eval", **({"step": number, "epoch": number / PLAN["steps_per_epoch"], "eval_loss": loss} | fields))


def with_evals(losses: Sequence[float], train: Sequence[float] = (), every: int = 10) -> list[Record]:
    """A run with an eval an epoch, which come to `losses`, and a train loss before each of them (by default falling by
    a fifth)."""
    train = train or [1.5 * 0.8**index for index in range(len(losses))]
    found = start()
    for index, (loss, level) in enumerate(zip(losses, train, strict=True)):
        first = index * every
        found += [step(first + at, loss=level, epoch=index + at / every) for at in range(1, every + 1)]
        found.append(evaluated(first + every, loss, epoch=index + 1.0))
    return found


def judged(records: Iterable[Record], settings: Monitor | None = None) -> Health:
    health = Health(settings)
    for one in records:
        health.feed(one)
    return health


def only(health: Health, rule: str) -> Finding:
    """The one finding of a rule."""
    (found,) = (finding for finding in health.findings if finding.rule == rule)
    return found


def rules(health: Health) -> dict[str, str]:
    """Severity of the findings that hold, by rule."""
    return {finding.rule: finding.severity for finding in health.active}
