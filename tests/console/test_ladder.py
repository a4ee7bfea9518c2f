"""Stop ladder: nothing before it is due, TERM before KILL, and a rank that died outranks the request."""

from __future__ import annotations

import signal

import pytest

from vlmft_console.runs.ladder import (
    FAILED_KILL_SECONDS,
    FAILED_TERM_SECONDS,
    NOW_SECONDS,
    TERM_SECONDS,
    due,
)
from vlmft_core.run_folder.stop import StopRequest

PATIENT, NOW = StopRequest("a person", patience=100.0), StopRequest("a person", now=True, patience=100.0)


def test_without_a_request_and_a_failure_nothing_is_due() -> None:
    assert due(None, None, None) is None
    assert due(PATIENT, None, None) is None, "a request that has not been seen yet"


@pytest.mark.parametrize(
    ("request_made", "begins", "kills"),
    [(PATIENT, 100.0, 100.0 + TERM_SECONDS), (NOW, 0.0, NOW_SECONDS)],
    ids=["patient", "now"],
)
def test_a_stop_sends_term_when_its_patience_is_over_and_kill_later(
    request_made: StopRequest, begins: float, kills: float
) -> None:
    assert due(request_made, begins - 0.1, None) is None
    assert due(request_made, begins, None) is signal.SIGTERM
    assert due(request_made, kills - 0.1, None) is signal.SIGTERM
    assert due(request_made, kills, None) is signal.SIGKILL


@pytest.mark.parametrize("request_made", [None, PATIENT, NOW], ids=["unasked", "patient", "now"])
def test_ranks_beside_one_that_died_get_a_moment_whatever_was_asked(request_made: StopRequest | None) -> None:
    asked = None if request_made is None else 1000.0
    assert due(request_made, asked, FAILED_TERM_SECONDS - 0.1) is None
    assert due(request_made, asked, FAILED_TERM_SECONDS) is signal.SIGTERM
    assert due(request_made, asked, FAILED_KILL_SECONDS) is signal.SIGKILL
