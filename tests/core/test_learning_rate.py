from __future__ import annotations

import pytest

from tests.records import plan
from vlmft_core.learning_rate import RatePlan, plan_deviation, planned_rate, rate_plan


@pytest.mark.parametrize("scheduler", ["cosine", "linear", "constant"])
@pytest.mark.parametrize(("total", "warmup"), [(50, 3), (50, 0), (7, 7), (1, 1), (1, 0)])
def test_a_step_is_made_at_the_rate_that_transformers_scheduler_has_before_it(
    scheduler: str, total: int, warmup: int
) -> None:
    torch = pytest.importorskip("torch")
    optimization = pytest.importorskip("transformers.optimization")
    optimizer = torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=4e-5)
    name = "constant_with_warmup" if scheduler == "constant" else scheduler
    schedule = optimization.get_scheduler(name, optimizer, num_warmup_steps=warmup, num_training_steps=total)
    planned = RatePlan(total, warmup, 4e-5, scheduler)
    for step in range(1, total + 2):
        assert planned_rate(planned, step) == pytest.approx(schedule.get_last_lr()[0], rel=1e-9, abs=1e-18)
        optimizer.step()
        schedule.step()


def test_outside_of_its_steps_a_plan_has_the_rates_of_its_ends() -> None:
    cosine = RatePlan(10, 2, 1.0, "cosine")
    assert planned_rate(cosine, 0) == planned_rate(cosine, 1) == 0
    assert planned_rate(cosine, 50) == planned_rate(cosine, 11) == 0


def test_a_plan_record_tells_the_rates_only_where_it_tells_the_whole_schedule() -> None:
    told = plan(100, scheduler="cosine", warmup_steps=6, peak_lr=1)
    assert rate_plan(told) == RatePlan(100, 6, 1.0, "cosine")
    assert rate_plan(told | {"total_steps": 1}) == RatePlan(1, 6, 1.0, "cosine")
    for field, value in (("total_steps", 0), ("warmup_steps", None), ("peak_lr", None), ("scheduler", "wsd")):
        assert rate_plan(told | {field: value}) is None
    assert rate_plan(told | {"peak_lr": 0}) is None
    assert rate_plan({}) is None


def test_logged_rates_lie_as_far_off_as_the_farthest_of_those_that_are_known() -> None:
    constant = RatePlan(10, 0, 0.5, "constant")
    assert plan_deviation(constant, [(1, 0.5), (2, 0.4), (3, None), (4, 0.55)]) == pytest.approx(0.2)
    assert plan_deviation(constant, [(1, None)]) is None
    assert plan_deviation(constant, [(1, 0.5)]) == 0
