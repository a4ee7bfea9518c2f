"""How much the train loss is averaged: by the share of it that is seen."""

from __future__ import annotations

import pytest

from tests.records import step
from vlmft_console.charts.smoothing import SHARES, USUAL, smooth, weight_for
from vlmft_console.history.state import RunState


@pytest.mark.parametrize("points", [20, 96, 160, 2_000, 100_000])
@pytest.mark.parametrize("share", SHARES[1:])
def test_the_average_looks_back_on_about_the_share_that_was_asked_for(points: int, share: float) -> None:
    steps = 1 / (1 - weight_for(share, points))
    assert steps == 2 if share * points < 2 else 0.5 < steps / (share * points) < 2


def test_no_share_is_no_average() -> None:
    assert weight_for(0.0, 1000) == 0.0


def test_where_fewer_steps_are_seen_fewer_are_averaged() -> None:
    state = RunState()
    state.apply_all([step(number) for number in range(1, 1001)])
    smooth(state)
    whole = state.smooth_loss.weight
    smooth(state, USUAL, 100)
    assert state.smooth_loss.weight < whole


def test_the_smoothest_curve_of_a_short_run_still_ends_near_its_last_losses() -> None:
    state = RunState()
    state.apply_all([step(number, loss=6.0 * 0.9**number) for number in range(1, 97)])
    smooth(state, SHARES[-1])
    assert state.smooth_loss.last is not None
    assert state.smooth_loss.last[1] is not None
    assert state.smooth_loss.last[1] < 0.05
