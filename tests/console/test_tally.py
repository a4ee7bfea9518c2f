from __future__ import annotations

import pytest

from tests.records import evaluated, plan, record, run_start, step
from vlmft_console.history.doubts import NEWER
from vlmft_console.history.schedule_fit import Schedule
from vlmft_console.history.tally import Tally
from vlmft_core.learning_rate import RatePlan, planned_rate
from vlmft_core.run_folder.events import VERSION, Record


def tally(*records: Record) -> Tally:
    found = Tally()
    found.add(records)
    return found


def test_a_run_that_was_resumed_has_not_ended_whatever_is_noted_after_its_end() -> None:
    end = record("run_end", status="stopped", reason="asked")
    assert tally(run_start(), end, record("note", message="bye")).end == end
    assert tally(run_start(), end, run_start(2, resumed_from=5), step(6)).end is None


def test_the_first_notes_are_kept_each_once() -> None:
    many = [record("note", message=f"note {number // 2}") for number in range(40)]
    assert tally(*many).notes == [f"note {number}" for number in range(10)]


def test_a_log_of_a_newer_version_says_so_once_and_first() -> None:
    found = tally(record("note", message="hello"), step(1))
    assert found.notes == ["hello"]
    for number in (2, 3):
        found.add([{**step(number), "v": VERSION + 1}])
    assert found.notes == [NEWER.format(VERSION + 1), "hello"]
    assert found.loss.points == 3


def test_what_was_not_finite_is_a_point_and_what_was_not_logged_is_none() -> None:
    found = tally(
        step(1, 2.0, grad_norm=None),
        step(2, None, nonfinite=["loss"]),
        step(3, None, nonfinite=["grad_norm"], grad_norm=None),
        step(4, 1.0),
    )
    assert (found.loss.points, found.loss.first, found.loss.last) == (3, 2.0, 1.0)
    assert found.grad_norm.points == 3
    assert found.nonfinite == 2


def test_an_eval_that_was_not_finite_is_a_point_and_never_the_best() -> None:
    found = tally(evaluated(10, None, nonfinite=["eval_loss"]), evaluated(20, 2.0), evaluated(30, None))
    assert (found.eval_loss.points, found.nonfinite) == (2, 1)
    assert found.best_eval is not None
    assert found.best_eval["step"] == 20


def test_an_eval_that_is_logged_twice_counts_once() -> None:
    found = tally(evaluated(0, 9.0), *(evaluated(10 * at, 2.0 / at) for at in (1, 2, 2, 3, 3)))
    assert found.eval_loss.points == 4
    assert tally(evaluated(10, 1.0), evaluated(10, 2.0)).eval_loss.points == 2  # another one, of the same step


def test_a_resume_that_repeats_steps_takes_the_place_of_their_rates_even_of_one_alone() -> None:
    for again in (20, 11):
        found = tally(*(step(number, lr=1e-4) for number in range(1, 21)))
        found.add([step(number, lr=5e-5) for number in range(again, 41)])
        straight = tally(*(step(number, lr=1e-4 if number < again else 5e-5) for number in range(1, 41)))
        assert (found._steps, found._rates) == (straight._steps, straight._rates)


COSINE = RatePlan(60, 10, 1e-4, "cosine")


def test_rates_are_held_against_the_plan_where_the_log_tells_it() -> None:
    planned = plan(**COSINE._asdict())
    steps = [step(number, lr=planned_rate(COSINE, number)) for number in range(1, 61)]
    assert tally(planned, *steps).schedule() == Schedule("cosine", 10, 0.0)
    steps[29] = step(30, lr=planned_rate(COSINE, 30) + 1e-5)
    assert tally(planned, *steps).schedule() == Schedule("cosine", 10, pytest.approx(0.1))
    assert tally(*steps[:12], planned).schedule() == Schedule("cosine", 10, 0.0)
    assert tally(planned).schedule() == Schedule("unknown", None, None)


def test_skipped_steps_move_no_schedule_that_is_told_from_the_rates() -> None:
    steps = [step(number, lr=planned_rate(COSINE, number)) for number in range(1, 8)]
    steps += [step(number + 3, lr=planned_rate(COSINE, number), skipped_steps=3) for number in range(8, 60)]
    found = tally(*steps).schedule()
    assert (found.kind, found.warmup_steps) == ("cosine", 10)
    assert found.max_deviation == pytest.approx(0, abs=1e-6)
