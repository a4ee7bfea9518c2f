from __future__ import annotations

import pytest

from tests.console.records import record
from vlmft_console.history.state import RunState
from vlmft_console.runs.verdict import judge


def ended(status: str | None, reason: str = "") -> RunState:
    state = RunState()
    if status:
        state.apply(record("run_end", status=status, reason=reason))
    return state


@pytest.mark.parametrize(("said", "exit_code"), [("finished", 0), ("early_stopped", 0), ("stopped", 130)])
def test_all_witnesses_agree_on_a_good_end(said: str, exit_code: int) -> None:
    verdict = judge(ended(said), 0)
    assert (verdict.status, verdict.exit_code) == (said, exit_code)


def test_exit_status_0_without_a_run_end_is_a_crash() -> None:
    verdict = judge(ended(None), 0)
    assert (verdict.status, verdict.exit_code) == ("crashed", 1)
    assert "no run_end" in verdict.reason


def test_a_finished_log_with_a_failed_launcher_is_no_success() -> None:
    verdict = judge(ended("finished"), -9)
    assert (verdict.status, verdict.exit_code) == ("failed", 1)
    assert "SIGKILL" in verdict.reason


def test_ranks_that_outlive_the_launcher_are_named() -> None:
    verdict = judge(ended("finished"), 0, alive=[123, 456])
    assert verdict.status == "failed"
    assert "123, 456" in verdict.reason


def test_a_mistake_of_the_user_has_its_own_exit_status() -> None:
    assert judge(ended("failed", "no such image"), 2).exit_code == 2
    assert judge(ended("failed", "out of memory"), 1).exit_code == 1
