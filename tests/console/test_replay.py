from __future__ import annotations

import random
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.console.states import content
from tests.records import evaluated, plan, record, run_start, step
from vlmft_console.history import replay as replay_module
from vlmft_console.history import tape
from vlmft_console.history.opened import open_log
from vlmft_console.history.replay import Replay
from vlmft_console.history.state import RunState
from vlmft_core.preset.monitor_schema import Monitor
from vlmft_core.run_folder.events import Record

BLOCK = 16


@pytest.fixture(autouse=True, scope="module")
def _small_blocks() -> Iterator[None]:
    """So that a short log has many of them."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(tape, "BLOCK", BLOCK)
        patch.setattr(replay_module, "BLOCK", BLOCK)
        yield


def eventful(seed: int, resumes: int) -> list[Record]:
    """A run that overfits, has bad steps and is resumed, with every kind of record in its log."""
    chance = random.Random(seed)
    records, now = [plan(total=60)], 0.0
    resumed = 0
    for segment in range(1, resumes + 2):
        records.append(run_start(segment, resumed_from=resumed or None))
        for number in range(resumed + 1, min(60, resumed + chance.randrange(5, 40))):
            bad = chance.random() < 0.1
            figures = {"metrics": {"reward": chance.random()}} if chance.random() < 0.5 else {"data_s": 0.1}
            norm = 40.0 if chance.random() < 0.05 else 0.5
            records.append(
                step(
                    number, None if bad else 2 / number, nonfinite=["loss"] * bad, grad_norm=norm, step_s=0.5, **figures
                )
            )
            if number % 5 == 0:
                records.append(evaluated(number, 1.0 + abs(number - 15) / 20, tasks={"chartqa": {"n": number}}))
            if number % 10 == 0:
                records.append(record("checkpoint", step=number, path=f"checkpoint-{number}"))
            if chance.random() < 0.1:
                records.append(record("gpu", gpus=[{"index": 0, "util": number}]))
                records.append(record("heartbeat", step=number))
        resumed = chance.randrange(1, number)
        records.append(record("note", message=f"segment {segment} is over"))
    records.append(record("run_end", status="finished"))
    timed = []
    for place, each in enumerate(records):
        now += chance.random()
        timed.append({**each, "seq": place, "t": 1000.0 + now, "mono": 10.0 + now})
    return timed


def pieces(records: list[Record], size: int = 23) -> Iterator[list[Record]]:
    for start in range(0, len(records), size):
        yield records[start : start + size]


def reduced(records: list[Record], monitor: Monitor | None = None) -> RunState:
    state = RunState(monitor)
    for each in records:
        state.apply(each)
    return state


@settings(max_examples=40)
@given(st.integers(0, 1000), st.integers(0, 4), st.lists(st.floats(0, 1), min_size=1, max_size=8))
def test_any_moment_is_what_the_records_until_then_add_up_to(seed: int, resumes: int, shares: list[float]) -> None:
    records = eventful(seed, resumes)
    monitor = Monitor(grad_stop=30.0)
    replay = Replay(pieces(records), monitor)
    for share in [*shares, 1.0, 0.0]:
        position = round(share * len(records))
        replay.seek(position)
        assert replay.position == position
        assert content(replay.state) == content(reduced(records[:position], monitor))


def test_a_replay_begins_before_the_first_record_and_ends_after_the_last() -> None:
    records = eventful(1, 1)
    replay = Replay(pieces(records))
    assert (replay.position, replay.state.step, replay.length) == (0, 0, len(records))
    replay.seek(10**9)
    assert replay.state.end is not None
    replay.seek(-5)
    assert (replay.position, replay.now) == (0, 0.0)


@pytest.mark.parametrize("length", [0, 1, BLOCK - 1, BLOCK, BLOCK + 1, 3 * BLOCK])
def test_a_log_of_any_length_can_be_played_there_and_back(length: int) -> None:
    records = [step(number) for number in range(1, length + 1)]
    replay = Replay(pieces(records))
    for position in (length, 0, length // 2, length):
        replay.seek(position)
        assert replay.state.step == position


def test_evals_are_visited_in_both_directions() -> None:
    records = eventful(2, 1)
    steps = [each["step"] for each in records if each["event"] == "eval"]
    replay = Replay(pieces(records))
    forth = []
    while found := replay.next_eval():
        forth.append(found["step"])
        assert replay.state.evals[-1] is found
    back = []
    while found := replay.previous_eval():
        back.append(found["step"])
    assert forth == steps
    assert back == steps[-2::-1]


def test_from_between_two_evals_the_one_before_is_gone_back_to() -> None:
    replay = Replay(pieces([step(1), evaluated(1, 1.0), step(2), step(3), evaluated(3, 1.0)]))
    replay.seek(4)
    found = replay.previous_eval()
    assert found is not None
    assert (found["step"], replay.position) == (1, 2)


def test_findings_are_visited_where_they_are_raised() -> None:
    records = eventful(3, 2)
    whole = reduced(records)
    assert len(whole.findings) > 3
    replay = Replay(pieces(records))
    places = set(whole.raised_at)
    visited = 0
    while found := replay.next_finding():
        visited += 1
        assert found.resolved is None
        assert len(reduced(records[: replay.position - 1]).findings) < len(replay.state.findings)
    assert visited == len(places)
    assert [finding for _, finding in replay.all_findings] == whole.findings
    for _ in range(len(places) - 1):
        assert replay.previous_finding() is not None
    assert replay.previous_finding() is None


def test_a_step_is_found_in_the_segment_that_counts() -> None:
    records = [run_start(1), *(step(number, 1.0) for number in range(1, 31))]
    records += [run_start(2, resumed_from=10), *(step(number, 2.0) for number in range(11, 21))]
    replay = Replay(pieces(records))
    for number, loss in ((5, 1.0), (10, 1.0), (11, 2.0), (20, 2.0), (29, 2.0)):
        replay.seek_step(number)
        assert replay.state.last_step is not None
        assert (replay.state.step, replay.state.last_step["loss"]) == (min(number, 20), loss)


def test_the_weight_of_the_smoothing_is_kept_while_the_replay_moves() -> None:
    records = eventful(4, 0)
    replay = Replay(pieces(records))
    replay.seek(len(records))
    replay.state.smooth_loss.weight = 0.5
    replay.seek(len(records) // 2)
    expected = reduced(records[: len(records) // 2])
    expected.smooth_loss.weight = 0.5
    assert list(replay.state.smooth_loss) == list(expected.smooth_loss)


def test_time_passes_at_the_speed_asked_for() -> None:
    replay = Replay(pieces([step(number, t=1000.0 + 2 * number, mono=10.0 + 2 * number) for number in range(1, 101)]))
    assert replay.clock.kind == "log"
    assert replay.advance(1.0, speed=10)
    assert (replay.state.step, replay.now) == (6, 10.0)
    for _ in range(8):
        replay.advance(0.25, speed=1)
    assert (replay.state.step, replay.now) == (7, 12.0)
    assert not replay.advance(1.0, speed=10_000)
    assert (replay.state.step, replay.now, replay.seconds) == (100, 198.0, 198.0)
    replay.seek_time(50.0)
    assert replay.state.step == 26


def test_playing_goes_on_from_where_a_jump_led() -> None:
    replay = Replay(pieces([step(number, t=1000.0 + number, mono=10.0 + number) for number in range(1, 101)]))
    replay.seek_step(40)
    replay.advance(3.0)
    assert replay.state.step == 43


def test_the_pause_between_two_segments_is_not_waited_for() -> None:
    records = [run_start(1), step(1), step(2), {**run_start(2, resumed_from=2), "mono": 5.0, "t": 90_000.0}]
    records.append(step(3, mono=7.0, t=90_002.0))
    replay = Replay(pieces(records))
    assert replay.seconds == pytest.approx(2.0 + 1.0 + 2.0)


def test_a_clock_set_back_does_not_send_the_replay_back() -> None:
    times = [100.0, 101.0, 50.0, 51.0]
    replay = Replay(pieces([{**step(number), "t": t, "mono": None} for number, t in enumerate(times, 1)]))
    assert [replay.clock.of(number) for number in range(4)] == [0.0, 1.0, 1.0, 2.0]


@pytest.mark.parametrize("t", [None, 5.0])
def test_a_log_without_times_takes_a_second_a_step(t: float | None) -> None:
    records = [{**each, "t": t, "mono": None} for each in (run_start(), step(1), evaluated(1, 1.0), step(2), step(3))]
    replay = Replay(pieces(records))
    assert replay.clock.kind == "even"
    assert [replay.clock.of(number) for number in range(5)] == [0.0, 1.0, 1.0, 2.0, 3.0]
    replay.advance(2.0)
    assert replay.state.step == 2


def test_real_logs_can_be_played_to_any_moment(shared: Path) -> None:
    logs = sorted((shared / "reallogs" / "trainer_state").glob("*.json"), key=lambda path: (path.stat().st_size, path))
    for path in logs[:: len(logs) // 5 or 1]:
        records = open_log(path).reader.read()
        replay = Replay(pieces(records))
        for position in (len(records), len(records) // 3, 2 * len(records) // 3):
            replay.seek(position)
            assert content(replay.state) == content(reduced(records[:position])), path.name
