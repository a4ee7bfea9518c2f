"""Chance: what few questions say, and how seldom two models that are alike are told apart."""

from __future__ import annotations

import pytest

from tests.bench.chance import told_apart
from vlmft_core.scoring.chance import Paired, difference, half_width, interval, mean_interval, paired, sign_flip

RIGHT_ALONE, WRONG_ALONE, BOTH, NEITHER = (1.0, 0.0), (0.0, 1.0), (1.0, 1.0), (0.0, 0.0)


def test_the_interval_of_a_share_is_wilsons_and_exact_where_all_or_none_are_right() -> None:
    # Newcombe 1998, table I (81 of 263, 15 of 148), method 3
    assert interval(81 / 263, 263) == pytest.approx((0.2553, 0.3662), abs=5e-5)
    assert interval(15 / 148, 148) == pytest.approx((0.0624, 0.1605), abs=5e-5)
    assert interval(0.0, 20) == pytest.approx((0.0, 0.1684), abs=5e-5)
    assert interval(1.0, 20) == pytest.approx((0.8316, 1.0), abs=5e-5)
    assert interval(1.0, 1) == pytest.approx((0.025, 1.0))
    assert mean_interval([(0.8, 50)]) == pytest.approx(interval(0.8, 50))
    assert half_width(0.85, 200) == pytest.approx(0.049, abs=1e-3)
    assert half_width(0.85, 500) == pytest.approx(0.031, abs=1e-3)


def test_the_interval_of_a_difference_is_newcombes() -> None:
    # Newcombe 1998, table II, method 10: 56/70 - 48/80 and 9/10 - 3/10
    assert difference([((56 / 70, 70), (48 / 80, 80))]) == pytest.approx((0.0524, 0.3339), abs=5e-5)
    assert difference([((0.9, 10), (0.3, 10))]) == pytest.approx((0.1705, 0.8090), abs=5e-5)


def test_one_of_one_against_none_of_one_is_chance() -> None:
    low, high = difference([((1.0, 1), (0.0, 1))])
    assert low < 0 < high
    assert paired([[RIGHT_ALONE]]) == Paired(1, 1.0, 1, 0, 1.0)
    assert not paired([[RIGHT_ALONE]]).sure


def test_right_and_wrong_alone_make_it_mcnemars_exact_test() -> None:
    # of 12 questions on which they differ at most 2 for the other: 2 * (1 + 12 + 66) / 2**12
    found = paired([[RIGHT_ALONE] * 10 + [WRONG_ALONE] * 2 + [BOTH] * 80 + [NEITHER] * 8])
    assert (found.questions, found.better, found.worse) == (100, 10, 2)
    assert found.gain == pytest.approx(0.08)
    assert found.p == pytest.approx(2 * 79 / 4096)
    assert found.sure
    assert paired([[RIGHT_ALONE] * 5]).p == pytest.approx(2 / 32)


def test_points_between_right_and_wrong_weigh_as_much_as_they_are() -> None:
    # 8 ways to choose the signs of 1, 0.3 and 0.3; a sum of 0.4 or more, either way: all but those of 1 - 0.3 - 0.3
    assert sign_flip([1.0, -0.3, -0.3]) == pytest.approx(1.0)
    assert sign_flip([1.0, 0.3, 0.3]) == pytest.approx(2 / 8)
    assert sign_flip([1.0, 0.6, -0.3]) == pytest.approx(4 / 8)
    assert sign_flip([1.0, 0.5, 0.5, -0.001]) == pytest.approx(2 / 8)
    assert paired([[(0.9, 0.6)] * 6]).p == pytest.approx(2 / 64)


def test_where_nothing_differs_there_is_nothing_to_tell() -> None:
    assert paired([[BOTH, NEITHER]]) == Paired(2, 0.0, 0, 0, 1.0)
    assert paired([[BOTH, NEITHER]]).says == "no question answered better or worse"
    assert paired([]).p == sign_flip([]) == 1.0
    assert paired([[RIGHT_ALONE, WRONG_ALONE]]).p == 1.0


def test_each_task_counts_alike_however_many_questions_it_has() -> None:
    few, many = [RIGHT_ALONE] * 10, [WRONG_ALONE] * 10 + [BOTH] * 90
    found = paired([few, many])
    assert found.gain == pytest.approx((1.0 - 0.1) / 2)
    assert (found.better, found.worse) == (10, 10)
    assert found.sure


def test_many_questions_are_taken_together_without_going_through_every_sum() -> None:
    # an exact test of 3,000 beside the same with one difference of another size
    exact = sign_flip([1.0] * 1555 + [-1.0] * 1445)
    assert exact == pytest.approx(0.0465, abs=5e-4)
    assert sign_flip([1.0] * 1555 + [-1.0] * 1444 + [-0.99]) == pytest.approx(exact, abs=3e-3)


def test_what_a_log_says_is_read_and_anything_else_is_not() -> None:
    found = Paired(60, 0.35, 22, 1, 1e-4)
    assert found.says == "better on 22, worse on 1, p < 0.001"
    assert Paired.read({"questions": 60, "gain": 0.35, "better": 22, "worse": 1, "p": 1e-4, "more": ""}) == found
    for broken in ({}, None, [], {"p": None}, {"better": -1}, {"p": 7.0}, {"gain": float("nan")}):
        assert Paired.read({**vars(found), **broken} if broken else broken) is None


@pytest.mark.parametrize("questions", [15, 200, 500])
@pytest.mark.parametrize("correlation", [0.0, 0.5, 0.8, 0.95])
def test_models_that_are_alike_are_told_apart_one_time_in_twenty_at_most(questions: int, correlation: float) -> None:
    for share in (0.5, 0.85):
        assert told_apart(questions, share, share, correlation) <= 0.05


@pytest.mark.parametrize("correlation", [0.8, 0.95])
def test_a_gain_of_five_points_on_500_questions_is_found(correlation: float) -> None:
    assert told_apart(500, 0.9, 0.85, correlation) >= 0.8
