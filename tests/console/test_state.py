from __future__ import annotations

import pytest

from tests.console.records import plan, record, step
from vlmft_console.history.state import RunState
from vlmft_trainer.events import Record


def reduced(*records: Record) -> RunState:
    state = RunState()
    for item in records:
        state.apply(item)
    return state


def test_a_log_without_steps_promises_nothing() -> None:
    state = reduced(plan())
    assert state.step == 0
    assert state.eta_seconds is None
    assert state.best_eval is None
    assert state.mean_loss(first=True) is None


def test_time_left_follows_the_speed_of_the_last_steps() -> None:
    state = reduced(plan(total=100), *(step(number) for number in range(1, 41)))
    assert state.steps_per_second == pytest.approx(1.0)
    assert state.eta_seconds == pytest.approx(60.0)


def test_a_reboot_does_not_make_the_time_left_negative() -> None:
    state = reduced(plan(total=100), step(1), step(2), step(3, mono=0.5), step(4, mono=1.5))
    assert state.eta_seconds == pytest.approx(96.0)


def test_the_base_is_never_the_best_eval() -> None:
    evals = [
        record("eval", step=number, epoch=1.0, eval_loss=loss)
        for number, loss in [(0, 0.1), (10, 2.0), (20, 1.5), (30, None), (40, 1.6)]
    ]
    best = reduced(*evals).best_eval
    assert best is not None
    assert best["step"] == 20


def test_base_and_tuned_scores_are_told_apart_by_their_step() -> None:
    state = reduced(
        record("eval", step=0, epoch=0.0, eval_loss=3.0, tasks={"chartqa": {"relaxed_accuracy": 0.2, "n": 10}}),
        record("eval", step=10, epoch=1.0, eval_loss=2.0),
        record("eval", step=10, epoch=1.0, eval_loss=2.0, tasks={"chartqa": {"relaxed_accuracy": 0.7, "n": 10}}),
    )
    assert state.base_scores["chartqa"]["relaxed_accuracy"] == 0.2
    assert state.tuned_scores["chartqa"]["relaxed_accuracy"] == 0.7


def test_a_step_that_is_not_finite_is_counted_and_left_out_of_the_mean() -> None:
    state = reduced(step(1, 2.0), step(2, None, nonfinite=["loss"]), step(3, 1.0))
    assert state.nonfinite_steps == 1
    assert state.mean_loss(first=False) == 1.0


def test_unknown_events_and_a_newer_version_are_survived() -> None:
    state = reduced({**record("novel"), "v": 2}, step(1))
    assert state.newer_version == 2
    assert state.step == 1


def test_a_resumed_run_has_not_ended() -> None:
    state = reduced(record("run_end", status="stopped"), record("run_start", run_id="x", segment=2))
    assert state.end is None
