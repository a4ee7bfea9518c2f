from __future__ import annotations

import signal

import pytest

from tests.records import record
from vlmft_console.runs.family import RankEnd
from vlmft_console.runs.verdict import judge
from vlmft_core.run_folder.events import Record
from vlmft_core.run_folder.stop import StopRequest


def said(status: str, reason: str = "") -> Record:
    return record("run_end", status=status, reason=reason)


def exited(code: int) -> int:
    """An exit status as `waitpid` gives it."""
    return code << 8


@pytest.mark.parametrize(("status", "exit_code"), [("finished", 0), ("early_stopped", 0), ("stopped", 130)])
def test_all_witnesses_agree_on_a_good_end(status: str, exit_code: int) -> None:
    verdict = judge(said(status), exited(0), [RankEnd(0, 0, 0, False)])
    assert (verdict.status, verdict.exit_code) == (status, exit_code)


def test_exit_status_0_without_a_run_end_is_a_crash() -> None:
    verdict = judge(None, exited(0))
    assert (verdict.status, verdict.exit_code) == ("crashed", 1)
    assert "no run_end" in verdict.reason


def test_a_finished_log_with_a_killed_launcher_is_no_success() -> None:
    verdict = judge(said("finished"), signal.SIGKILL)
    assert (verdict.status, verdict.exit_code) == ("failed", 1)
    assert "SIGKILL" in verdict.reason


def test_a_finished_log_with_a_rank_that_was_killed_is_no_success() -> None:
    verdict = judge(said("finished"), exited(0), [RankEnd(1, 0, signal.SIGKILL, False), RankEnd(0, 1, 0, False)])
    assert verdict.status == "failed"
    assert "rank 1 was killed by SIGKILL" in verdict.reason


def test_ranks_that_outlive_the_launcher_are_named() -> None:
    verdict = judge(said("finished"), exited(0), orphans=[123, 456])
    assert verdict.status == "failed"
    assert "123, 456" in verdict.reason


def test_the_first_rank_that_died_is_blamed_not_those_ended_for_it() -> None:
    ends = [
        RankEnd(2, 0, signal.SIGKILL, False),
        RankEnd(0, 1, signal.SIGTERM, False),
        RankEnd(1, 2, signal.SIGKILL, True),
    ]
    assert judge(None, exited(247), ends).reason.startswith("rank 2 was killed by SIGKILL")


def test_a_rank_reaped_unseen_is_blamed_with_the_signal_the_launcher_tells() -> None:
    assert judge(None, exited(247), [RankEnd(1, 0, None, False)]).reason.startswith("rank 1 was killed by SIGKILL")
    assert judge(said("finished"), exited(0), [RankEnd(1, 0, None, False)]).status == "finished"


def test_a_rank_killed_before_anybody_saw_it_is_blamed_not_those_ended_for_it() -> None:
    ends = [RankEnd(1, 0, signal.SIGTERM, False)]
    assert judge(None, exited(247), ends, unseen=[0]).reason == (
        "rank 0 was killed by SIGKILL; 1 rank never seen; the event log has no run_end"
    )
    assert judge(None, exited(247), ends, unseen=[0, 2]).reason.startswith(
        "one of the ranks 0, 2 was killed by SIGKILL; 2 ranks never seen"
    )
    for silent in (None, signal.SIGKILL.value, exited(1)):  # its launcher was killed or could not be, or does not say
        said = judge(None, silent, ends, unseen=[0]).reason
        assert said.startswith("rank 0 was gone before it was seen; "), said
    ends = [RankEnd(1, 0, signal.SIGKILL, False)]
    assert judge(None, exited(247), ends, unseen=[0]).reason.startswith("rank 1 was killed by SIGKILL; 1 rank never")
    assert judge(None, None, ends, unseen=[0]).reason.startswith("rank 1 was killed by SIGKILL; ")


def test_a_rank_that_told_of_a_lost_peer_does_not_hide_who_was_killed() -> None:
    ends = [RankEnd(1, 0, signal.SIGKILL, False), RankEnd(0, 1, exited(1), False)]
    verdict = judge(said("failed", "connection closed by peer"), exited(1), ends)
    assert verdict.reason == "rank 1 was killed by SIGKILL; connection closed by peer"


def test_a_mistake_of_the_user_has_its_own_exit_status() -> None:
    assert judge(said("failed", "no such image"), exited(2)).exit_code == 2
    assert judge(said("failed", "out of memory"), exited(1)).exit_code == 1


def test_of_a_launcher_that_fails_in_its_own_way_the_ranks_say_whether_it_was_a_mistake() -> None:
    assert judge(said("failed", "no such image"), exited(1), [RankEnd(0, 0, exited(2), False)]).exit_code == 2
    assert judge(said("failed", "lost a peer"), exited(1), [RankEnd(0, 0, exited(2), True)]).exit_code == 1


@pytest.mark.parametrize(
    ("checkpoint", "kept"), [(None, "there is no checkpoint to resume from"), (1200, "step 1,200 is kept")]
)
def test_a_run_ended_at_once_on_request_is_stopped_and_says_what_is_left(checkpoint: int | None, kept: str) -> None:
    request, ends = StopRequest("Ctrl-C", now=True), [RankEnd(0, 0, signal.SIGKILL, True)]
    verdict = judge(None, exited(247), ends, request=request, checkpoint=checkpoint)
    assert (verdict.status, verdict.exit_code) == ("stopped", 130)
    assert verdict.reason == f"ended at once by Ctrl-C; {kept}"


def test_a_program_that_refused_without_a_word_in_the_log_is_named() -> None:
    verdict = judge(None, exited(2))
    assert (verdict.status, verdict.exit_code) == ("failed", 2)
    assert verdict.reason == "the training program refused to start; its log says why"


def test_an_adopted_run_never_blames_the_launcher_of_which_nothing_is_known() -> None:
    verdict = judge(None, None, [RankEnd(0, 0, signal.SIGKILL, False)], adopted=True)
    assert verdict.reason == (
        "adopted after its supervisor was killed; rank 0 was killed by SIGKILL; the event log has no run_end"
    )
    assert "the launcher could not be ended" in judge(None, None, [RankEnd(0, 0, signal.SIGKILL, False)]).reason
