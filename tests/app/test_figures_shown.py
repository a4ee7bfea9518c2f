"""Figures on the screens are those of the log: each is worked out here from the lines of the log alone."""

from __future__ import annotations

import json
import math
import random
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from statistics import fmean, median
from typing import Any

import pytest
from textual.pilot import Pilot

from tests.app.looking import screen_text, until, until_shown
from tests.records import evaluated, plan, run_start, step, write_log
from vlmft_console.app.app import VlmftConsole
from vlmft_console.app.screens.compare import CompareScreen
from vlmft_console.figures import percent
from vlmft_console.history.choice import LAST
from vlmft_core.figures import figure

LOGS = Path(__file__).parents[2] / "logs"
SAMPLES = ("diverging", "healthy", "overfitting", "resumed")
RANDOM_LOGS = 20
SIZE = (120, 40)


@dataclass
class Told:
    """What the lines of a log come to."""

    steps: list[Mapping[str, Any]]
    evals: list[Mapping[str, Any]]
    total: int
    ended: bool

    @property
    def last(self) -> Mapping[str, Any]:
        return self.steps[-1]

    @property
    def best(self) -> Mapping[str, Any]:
        return min(self.evals, key=lambda each: each["eval_loss"])


def told_by(folder: Path) -> Told:
    """Read the lines as they are; what a resume repeats takes the place of what was there."""
    steps: dict[int, dict[str, Any]] = {}
    evals: dict[int, dict[str, Any]] = {}
    total, ended = 0, False
    for file in sorted(folder.glob("**/events*.jsonl")):
        for line in file.read_text().splitlines():
            record = json.loads(line)
            if record["event"] == "run_start":
                again = record.get("resumed_from") or 0
                steps = {number: each for number, each in steps.items() if number <= again}
                evals = {number: each for number, each in evals.items() if number <= again}
            elif record["event"] == "step":
                steps[record["step"]] = record
            elif record["event"] == "eval" and record["step"] and record.get("eval_loss") is not None:
                evals[record["step"]] = record
            elif record["event"] == "plan":
                total = record["total_steps"]
            ended = record["event"] == "run_end"
    return Told(list(steps.values()), list(evals.values()), total, ended)


def random_log(folder: Path, seed: int) -> Path:
    """A log of some steps, of values of any size, and some evals."""
    dice = random.Random(seed)
    total = dice.randint(5, 80)
    done, every = dice.randint(3, total), dice.randint(2, 9)
    scale = 10 ** dice.uniform(-5, 3)
    records = [run_start(), plan(total)]
    for number in range(1, done + 1):
        loss = scale * dice.uniform(0.2, 3)
        norm, speed = 10 ** dice.uniform(-4, 2), 10 ** dice.uniform(-1, 3)
        records.append(step(number, loss, lr=10 ** dice.uniform(-8, -2), grad_norm=norm, samples_per_s=speed))
        if number % every == 0:
            records.append(evaluated(number, scale * dice.uniform(0.2, 3), token_accuracy=dice.random()))
    if done < every:
        records.append(evaluated(done, scale, token_accuracy=0.5))
    write_log(folder / "logs" / "events-0001.jsonl", records)
    return folder


def log_of(which: str | int, folder: Path) -> Path:
    """A sample by its name, or a random log by its seed, as a folder of its own."""
    if isinstance(which, int):
        return random_log(folder / f"random-{which}", which)
    shutil.copytree(LOGS / which, folder / which)
    return folder / which


def on_a_run_screen(told: Told, *, goes_on: bool) -> list[str]:
    """What must stand on the screen of one run; one that goes on has the median speed of its last 20 steps."""
    last = told.last
    speed = middle([each["samples_per_s"] for each in told.steps[-20 if goes_on else 0 :]])
    return [
        f"step {last['step']:,}/{told.total:,}",
        f"Loss train {figure(last['loss'])}",
        f"Learning rate {figure(last['lr'])}",
        f"Gradient norm {figure(last['grad_norm'])}",
        f"Throughput last {figure(last['samples_per_s'])} samples/s",
        f"median {figure(speed)} samples/s",
    ]


def middle(values: list[float]) -> float:
    """The median; of an even number of values one of the two in the middle."""
    return sorted(values)[round((len(values) - 1) / 2)]


async def look_at(app: VlmftConsole, told: Told, *, goes_on: bool) -> None:
    """All that the screen of one run shows."""
    async with app.run_test(size=SIZE) as pilot:
        for text in on_a_run_screen(told, goes_on=goes_on):
            await until_shown(pilot, text)
        await pilot.press("1", "f")
        await until_shown(pilot, f"best {figure(told.best['eval_loss'])} @{told.best['step']:,}")
        await pilot.press("f", "6", "f")
        await until_shown(pilot, "token acc.")
        rows = {line.split()[0]: line.split() for line in screen_text(app).splitlines() if line.strip()}
        for epoch, each in last_evals(told).items():
            if epoch in rows:  # others are above what fits
                assert figure(each["eval_loss"]) in rows[epoch]
                steps = [one for one in told.steps if epoch_of(one) == epoch]
                assert figure(fmean(finite(steps, "loss"))) in rows[epoch]
                if norms := finite(steps, "grad_norm"):
                    assert figure(median(norms)) in rows[epoch]
                assert figure(steps[-1]["lr"]) in rows[epoch]
                assert percent(each["token_accuracy"]) in " ".join(rows[epoch])


@pytest.mark.parametrize("which", [*SAMPLES, *range(RANDOM_LOGS)])
async def test_of_one_run(which: str | int, tmp_path: Path) -> None:
    log = log_of(which, tmp_path)
    await look_at(VlmftConsole(log), told_by(log), goes_on=False)


@pytest.mark.parametrize("which", [*SAMPLES, 0])
async def test_of_a_replay_at_its_end(which: str | int, tmp_path: Path) -> None:
    log = log_of(which, tmp_path)
    told = told_by(log)
    await look_at(VlmftConsole(log, replay=LAST), told, goes_on=not told.ended)


def last_evals(told: Told) -> dict[str, Mapping[str, Any]]:
    """The last eval of each epoch, by the epoch's number from 1."""
    return {epoch_of(each): each for each in told.evals}


def epoch_of(record: Mapping[str, Any]) -> str:
    """The epoch's number, from 1, as the table has it."""
    return str(max(1, math.ceil(record["epoch"] - 1e-6)))


def finite(steps: Sequence[Mapping[str, Any]], key: str) -> list[float]:
    return [each[key] for each in steps if each[key] is not None]


async def test_in_the_list_of_runs(machine: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    logs = [log_of(which, machine) for which in (*SAMPLES, *range(RANDOM_LOGS))]
    monkeypatch.setattr("vlmft_console.runs.overview.recorded_runs", lambda: logs)
    for size in ((80, 40), SIZE):
        async with VlmftConsole().run_test(size=size) as pilot:
            for log in logs:
                told = told_by(log)
                losses = [figure(told.last["loss"]), figure(told.evals[-1]["eval_loss"])]
                await until(pilot, partial(in_a_row, pilot, [log.name, *losses]))


def in_a_row(pilot: Pilot[None], words: list[str]) -> bool:
    """Whether a line of the screen has these words, in this order."""
    lines = (line.split() for line in screen_text(pilot.app).splitlines())
    return any([word for word in line if word in words][: len(words)] == words for line in lines)


@pytest.mark.parametrize("seed", range(0, RANDOM_LOGS, 4))
async def test_runs_compared(seed: int, tmp_path: Path) -> None:
    log, other = log_of(SAMPLES[seed // 4 % 4], tmp_path), random_log(tmp_path / "other", seed)
    told = [told_by(each) for each in (log, other)]
    async with VlmftConsole().run_test(size=SIZE) as pilot:
        await pilot.app.push_screen(CompareScreen([log, other]))
        await until(pilot, lambda: "best eval loss" in screen_text(pilot.app))
        lines = screen_text(pilot.app).splitlines()
        for label, texts in (
            ("steps", [f"{each.last['step']:,}" for each in told]),
            ("best eval loss", [figure(each.best["eval_loss"]) for each in told]),
            ("best at step", [f"{each.best['step']:,}" for each in told]),
            ("last eval loss", [figure(each.evals[-1]["eval_loss"]) for each in told]),
        ):
            row = next(line for line in lines if line.startswith(label))
            words = row.removeprefix(label).split()
            assert all(text in words for text in texts), row
