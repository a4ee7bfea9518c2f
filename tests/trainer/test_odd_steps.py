"""Odd steps: a spike is one against the steps before it, and only so many are named."""

from __future__ import annotations

import json
import math
import random
from pathlib import Path
from typing import Any

import pytest
import torch

from vlmft_core.run_folder.events import EventWriter
from vlmft_trainer.data.order import MicroBatches
from vlmft_trainer.data.samples import Samples
from vlmft_trainer.distributed import ranks
from vlmft_trainer.training.odd_steps import MOST, OddSteps
from vlmft_trainer.training.run_log import RunLog


@pytest.fixture
def log(tmp_path: Path) -> RunLog:
    return RunLog(EventWriter(tmp_path / "events.jsonl"))


@pytest.fixture
def odd(samples: Samples, log: RunLog) -> OddSteps:
    order = MicroBatches([9] * len(samples), effective_batch=4, micro_batch=2, packed=False, seed=1)
    return OddSteps(order, samples, log)


def told(tmp_path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (tmp_path / "events.jsonl").read_text().splitlines()]


def look(odd: OddSteps, losses: list[float], gradients: list[float | None] | None = None, first: int = 1) -> None:
    for number, loss in enumerate(losses):
        gradient = gradients[number] if gradients else 1.0
        odd.look([first + number], loss, gradient, [torch.tensor(loss / 4), torch.tensor(3 * loss / 4)])


@pytest.mark.parametrize("noise", [0.02, 0.1, 0.3])
def test_a_healthy_course_has_no_odd_steps(odd: OddSteps, tmp_path: Path, noise: float) -> None:
    draw = random.Random(5)
    losses = [(0.4 + 3 * math.exp(-step / 60)) * math.exp(draw.gauss(0, noise)) for step in range(400)]
    gradients: list[float | None] = [math.exp(draw.gauss(0, 0.5)) for _ in losses]
    look(odd, losses, gradients)
    assert len(told(tmp_path)) <= (2 if noise > 0.2 else 0)


def test_a_spike_names_its_rows_and_the_micro_batch_that_lost_most(
    odd: OddSteps, samples: Samples, tmp_path: Path
) -> None:
    look(odd, [1.0, 1.1] * 15 + [4.0] + [1.0] * 9)
    (record,) = told(tmp_path)
    parts = odd._order.of_step(31)
    assert (record["step"], record["of"]) == (31, 4)
    assert record["why"] == "loss 4.000, 3.8 times the median of the 30 steps before"
    assert record["rows"] == [samples.where(index) for part in parts for index in part]
    assert record["suspects"] == [samples.where(index) for index in parts[1]]


def test_a_gradient_that_is_odd_beside_a_usual_loss_is_told_without_suspects(odd: OddSteps, tmp_path: Path) -> None:
    look(odd, [1.0] * 31, [1.0] * 29 + [50.0, math.nan])
    whys = [(record["step"], record["why"], record["suspects"]) for record in told(tmp_path)]
    assert whys == [
        (30, "gradient norm 50.00, 50.0 times the median of the 29 steps before", []),
        (31, "the gradient is not finite", []),
    ]


def test_above_a_median_of_nothing_a_step_is_odd_and_the_training_goes_on(odd: OddSteps, tmp_path: Path) -> None:
    look(odd, [0.0] * 30 + [1e-6], [0.0] * 29 + [1e-6, 0.0])
    assert [(record["step"], record["why"]) for record in told(tmp_path)] == [
        (30, "gradient norm 1e-6, above the median 0 of the 29 steps before"),
        (31, "loss 1e-6, above the median 0 of the 30 steps before"),
    ]


def test_ranks_ask_each_other_whatever_one_of_them_has_told_of_gradients(
    odd: OddSteps, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = []
    monkeypatch.setattr(ranks, "gather", lambda mine: asked.append(mine) or [mine])
    look(odd, [1.0] * 30, [math.nan] * 30)
    look(odd, [math.nan], [None], first=31)
    assert len(asked) == 1, "a rank that knows no gradients waits for the others here"
    assert len(told(tmp_path)) == MOST


def test_of_a_broken_run_only_the_first_steps_are_named(odd: OddSteps, tmp_path: Path) -> None:
    look(odd, [math.nan] * 60)
    assert [record["step"] for record in told(tmp_path)] == list(range(1, MOST + 1))


def test_of_a_mean_over_several_steps_the_rows_of_all_are_named(odd: OddSteps, tmp_path: Path) -> None:
    odd.look(range(5, 8), math.nan, None, [torch.tensor(math.nan)])
    assert [(record["step"], len(record["rows"]), record["suspects"]) for record in told(tmp_path)] == [
        (5, 4, []),
        (6, 4, []),
        (7, 4, []),
    ]


@pytest.mark.parametrize("packed", [False, True])
def test_the_micro_batch_of_another_rank_is_found(
    samples: Samples, log: RunLog, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, packed: bool
) -> None:
    """Two ranks with two micro-batches each; the second one of rank 1 is not finite."""
    lengths = list(range(len(samples)))
    orders = [
        MicroBatches(lengths, effective_batch=8, micro_batch=2, packed=packed, seed=1, rank=rank, world=2)
        for rank in range(2)
    ]
    odd = OddSteps(orders[0], samples, log)
    monkeypatch.setattr("vlmft_trainer.distributed.ranks.gather", lambda mine: [mine, [0.2, math.nan]])
    odd.look([2], math.nan, 1.0, [torch.tensor(0.1), torch.tensor(0.3)])
    (record,) = told(tmp_path)
    second_of_rank_1 = list(orders[1])[2:4][1]
    assert record["suspects"] == [samples.where(index) for index in second_of_rank_1]
    assert sorted(record["rows"]) == sorted(
        samples.where(index) for order in orders for part in list(order)[2:4] for index in part
    )
