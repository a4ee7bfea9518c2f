"""A train loss that explodes and stays finite, in simulated runs: they are told, and healthy ones are left alone."""

from __future__ import annotations

import math
import random
from collections.abc import Callable, Sequence
from typing import Final

import pytest

from tests.core.health_records import judged, only, record, step
from vlmft_core.run_folder.events import Record

LENGTH = 600
BREAKS = 300
"""The step from which an exploding run does."""

Course = Callable[[int], float]


def fine_tuning(at: int) -> float:
    return 0.8 + 0.8 * math.exp(-at / 60)


def memorising(at: int) -> float:
    return 0.01 + 1.5 * math.exp(-at / 60)


HEALTHY: dict[str, Course] = {
    "fine-tuning": fine_tuning,
    "memorising": memorising,
    "from scratch": lambda at: 3 + 8 * math.exp(-at / 120),
    "a step down each epoch": lambda at: 1.2 * 0.7 ** (at // 150),
    "other data": lambda at: 0.6 if at < BREAKS else 1.0,
    "restarts of the rate": lambda at: fine_tuning(at) * (1 + 0.3 * math.exp(-(at % 150) / 20)),
    "a hump in the warm-up": lambda at: 2.5 + math.exp(-(((at - 60) / 30) ** 2)) if at < 120 else 1.5,
    "a spike": lambda at: 9.0 if BREAKS <= at < BREAKS + 9 else fine_tuning(at),
    "small numbers": lambda at: 0.001 + 0.02 * (at > BREAKS),
}


def losses(course: Course, noise: float, seed: int, to: float | None = None) -> list[float]:
    """A run of it with so much scatter; one that explodes goes to `to`."""
    chance = random.Random(seed)
    found = []
    for at in range(1, LENGTH + 1):
        level = course(at)
        if to is not None and at >= BREAKS:
            level += (to - level) * (1 - math.exp(-(at - BREAKS + 1) / 20))
        found.append(level * math.exp(chance.gauss(0, noise)))
    return found


def log(levels: Sequence[float]) -> list[Record]:
    return [step(at, loss=level, lr=1e-4) for at, level in enumerate(levels, 1)]


@pytest.mark.parametrize("noise", [0.0, 0.1, 0.4])
@pytest.mark.parametrize("name", HEALTHY)
def test_a_healthy_run_has_not_exploded(name: str, noise: float) -> None:
    for seed in range(4):
        assert judged(log(losses(HEALTHY[name], noise, seed))).findings == []


@pytest.mark.parametrize("noise", [0.0, 0.1, 0.4])
@pytest.mark.parametrize("course", [fine_tuning, memorising])
def test_a_run_that_explodes_is_told_to_stop_soon(course: Course, noise: float) -> None:
    for seed in range(4):
        found = only(judged(log(losses(course, noise, seed, to=7.0))), "loss_exploded")
        assert found.severity == "stop"
        assert BREAKS < found.step <= BREAKS + 60


def test_it_is_over_once_the_loss_is_back() -> None:
    levels = [*losses(fine_tuning, 0.1, 1, to=7.0), *losses(lambda _: 0.9, 0.1, 2)]
    (found,) = (one for one in judged(log(levels)).findings if one.rule == "loss_exploded")
    assert (found.step, found.resolved) == (320, 620)


def test_a_training_by_reward_may_go_anywhere() -> None:
    rewarded = [one | {"metrics": {"rewards/chosen": 0.1}} for one in log(losses(fine_tuning, 0.1, 1, to=7.0))]
    assert judged(rewarded).findings == []
    below_zero = [level - 1.0 for level in losses(fine_tuning, 0.1, 1, to=7.0)]
    assert "loss_exploded" not in {one.rule for one in judged(log(below_zero)).findings}


def test_the_advice_is_the_last_checkpoint_from_when_the_loss_was_lowest_and_a_lower_rate() -> None:
    kept = record("checkpoint", step=300, kept=[100, 200, 300], name="", best=False, bytes=1, sha256="")
    records = log(losses(fine_tuning, 0.0, 1, to=7.0))
    advice = only(judged([*records[:300], kept, *records[300:]]), "loss_exploded").advice
    assert advice.text.startswith("Look at the data of these steps, and resume from checkpoint-200.")
    assert advice.changes == (("training.learning_rate", 3e-5),)


FALLS: Final = [2.6, 2.1, 1.8, 1.6, 1.5, 1.4, 1.35]


def verdict(levels: Sequence[float]) -> str | None:
    return next((one.severity for one in judged(log(levels)).findings if one.resolved is None), None)


def test_a_short_log_whose_last_losses_are_all_far_above_its_first_has_exploded() -> None:
    assert verdict([*FALLS, 4.4, 7.0, 9.6, 12.0, 14.5]) == "stop"
    assert verdict([*FALLS, 4.1, 3.95, 4.0, 3.95, 4.02]) == "caution"


@pytest.mark.parametrize(
    "levels",
    [
        [0.7, 0.45, 0.3, 0.2, 0.15, 0.12, 0.11, 1.5, 1.35, 1.3, 1.2, 1.15],  # a harder task
        [0.28, 0.27, 0.26, 0.25, 0.25, 0.24, 0.24, 0.9, 0.88, 0.95, 0.85, 0.87],  # other data
        [0.09, 0.05, 0.03, 0.02, 0.018, 0.016, 0.015, 0.6, 0.55, 0.62, 0.58, 0.57],  # one more term in the loss
        [
            0.75,
            0.72,
            0.7,
            0.68,
            0.66,
            0.67,
            0.7,
            1.2,
            1.8,
            2.2,
            2.5,
            2.6,
            2.9,
        ],  # a generator's, whose judge gets better
    ],
)
def test_a_short_log_of_a_training_in_phases_is_not_told_to_stop(levels: list[float]) -> None:
    assert verdict(levels) == "caution"


@pytest.mark.parametrize("metric", ["rollout/ep_rew_mean", "rollout/exploration_rate", "mean_reward"])
def test_a_training_by_reward_is_known_by_any_name_of_it(metric: str) -> None:
    values = [0.02, 0.012, 0.008, 0.006, 0.005, 0.006, 0.01, 3.1, 3.2, 3.5, 4.0, 4.2]
    assert verdict(values) == "stop"
    found = judged([one | {"metrics": {metric: 0.1}} for one in log(values)]).findings
    assert found == []


@pytest.mark.parametrize(
    "levels",
    [
        [*FALLS, 4.4, 7.0, 9.6, 12.0],  # four might be a spike
        [*FALLS, 4.4, 7.0, 9.6, 12.0, 14.5, 2.0],  # over
        [*FALLS, 3.0, 3.2, 3.1, 3.3, 3.0],  # no worse than an untrained model
        [0.01, 0.01, 0.02, 0.01, 0.01, 0.01, 0.015, 0.09, 0.08, 0.09, 0.1, 0.09],  # small numbers
        [loss for epoch in range(2) for loss in range(3, 60 - epoch, 3)],  # sums, which each epoch begins anew
        [-0.1, *FALLS, 4.4, 7.0, 9.6, 12.0, 14.5],  # no cross entropy
    ],
)
def test_a_short_log_that_does_not_say_so_much_is_left_alone(levels: list[float]) -> None:
    assert verdict(levels) is None
