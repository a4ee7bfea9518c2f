"""Run status: what a run folder and a pulse tell together."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.records import record, run_start, step
from vlmft_console.history.pulse import Pulse
from vlmft_console.runs import locks
from vlmft_console.runs.folder import Command, RunFolder
from vlmft_console.runs.locks import acquire, held
from vlmft_console.runs.processes import myself
from vlmft_console.runs.status import RunStatus, status_of

NOW = 10_000.0


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[RunFolder]:
    """A run whose supervisor holds the lock, and whose ranks write the first segment."""
    made = RunFolder.create(tmp_path, "run")
    made.write_run(preset_name="best", preset_text="{}\n", command=Command(("true",), {}))
    made.write_processes(myself(), {}, segment=1)
    monkeypatch.setattr("vlmft_console.runs.status.time.time", lambda: NOW)
    lock = acquire(made.lock)
    assert lock is not None
    yield made
    os.close(lock)


def pulse(*records: dict[str, Any]) -> Pulse:
    return Pulse().after(records)


def beat(t: float | None, number: int = 4, phase: str = "step") -> dict[str, Any]:
    return record("heartbeat", step=number, phase=phase) | {"t": t}


def steps(*, t: float | None, seconds: float = 10.0) -> list[dict[str, Any]]:
    """Four steps, of so many seconds each, the last one at `t`."""
    return [run_start(), *(step(number) | {"t": t, "mono": number * seconds} for number in range(1, 5))]


def test_a_supervised_run_without_a_pulse_counts_as_running(folder: RunFolder) -> None:
    assert status_of(folder) == RunStatus("running")


def test_a_run_is_starting_until_its_first_step_and_stalled_after_a_minute_of_silence(folder: RunFolder) -> None:
    assert status_of(folder, Pulse()) == RunStatus("starting")
    assert status_of(folder, pulse(run_start() | {"t": NOW - 60.0})) == RunStatus("starting")
    assert status_of(folder, pulse(run_start() | {"t": NOW - 60.5})) == RunStatus("stalled", "no event for a minute")


def test_a_run_that_resumes_is_starting_however_old_its_last_segment_is(folder: RunFolder) -> None:
    old = pulse(*steps(t=NOW - 5000.0))
    folder.write_processes(myself(), {}, segment=2)
    assert status_of(folder, old) == RunStatus("starting")
    assert status_of(folder, old.after([run_start(2, 4) | {"t": NOW}])) == RunStatus("starting")


def test_a_run_of_which_no_start_is_known_goes_by_its_log(folder: RunFolder) -> None:
    folder.processes_file.unlink()
    assert status_of(folder, Pulse()) == RunStatus("starting")
    assert status_of(folder, pulse(*steps(t=NOW))) == RunStatus("running")
    assert status_of(folder, pulse(beat(NOW - 61.0))) == RunStatus("stalled", "no event for a minute")


def test_a_minute_without_any_event_is_a_stall(folder: RunFolder) -> None:
    assert status_of(folder, pulse(*steps(t=NOW - 60.0))) == RunStatus("running")
    stalled = RunStatus("stalled", "no event for a minute, not even a heartbeat")
    assert status_of(folder, pulse(*steps(t=NOW - 60.5))) == stalled


@pytest.mark.parametrize(("seconds", "usual"), [(10.0, 50.0), (2.0, 30.0)])
def test_a_step_is_a_stall_after_five_times_the_usual_and_half_a_minute(
    folder: RunFolder, seconds: float, usual: float
) -> None:
    made = steps(t=NOW - usual, seconds=seconds)
    assert status_of(folder, pulse(*made, beat(NOW))) == RunStatus("running")
    made = steps(t=NOW - usual - 1.0, seconds=seconds)
    reason = f"a step has taken {usual + 1:.0f} s so far, where one takes {seconds:.0f} s"
    assert status_of(folder, pulse(*made, beat(NOW))) == RunStatus("stalled", reason)


@pytest.mark.parametrize(
    "after",
    [
        [],
        [beat(NOW, phase="between steps")],
        [beat(NOW, number=3)],
        [beat(NOW), step(5) | {"t": NOW}],
        [beat(None), record("note", message="") | {"t": NOW}],
        [{key: value for key, value in beat(NOW).items() if key != "phase"}],
    ],
)
def test_only_a_heartbeat_within_this_very_step_tells_of_a_step_that_takes_long(
    folder: RunFolder, after: list[dict[str, Any]]
) -> None:
    assert status_of(folder, pulse(*steps(t=NOW - 55.0), *after)) == RunStatus("running")


def test_a_step_whose_time_or_speed_is_unknown_is_no_stall(folder: RunFolder) -> None:
    assert status_of(folder, pulse(*steps(t=None), beat(NOW))) == RunStatus("running")
    first = [run_start(), step(4) | {"t": NOW - 55.0}]
    assert status_of(folder, pulse(*first, beat(NOW))) == RunStatus("running")


def test_a_folder_that_is_gone_is_unreadable(tmp_path: Path) -> None:
    status = status_of(RunFolder(tmp_path / "gone"))
    assert (status.state, status.live) == ("unreadable", False)
    assert "gone" in status.reason


def test_a_pulse_is_the_same_however_its_records_come() -> None:
    records = [
        *steps(t=1.0),
        beat(None),
        run_start(2, resumed_from=2),
        step(3),
        *(step(number) | {"mono": 5.0 + number} for number in range(4, 400)),
        run_start(3, resumed_from=150),
        beat(9.0),
    ]
    piecewise = Pulse()
    for index, one in enumerate(records):
        piecewise = piecewise.after([one])
        assert piecewise == pulse(*records[: index + 1])
    assert (piecewise.segment, piecewise.step, piecewise.last_step, piecewise.times) == (3, 150, None, ())
    assert piecewise.last_seen == 9.0


def test_a_lock_that_a_reader_holds_for_an_instant_is_waited_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "lock"
    reader = acquire(path)
    assert reader is not None
    monkeypatch.setattr(locks.time, "sleep", lambda seconds: os.close(reader))
    mine = acquire(path)
    assert mine is not None
    assert held(path)
    os.close(mine)
    assert not held(path)


def test_a_lock_that_stays_held_is_given_up_after_a_second(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    owner, waited = acquire(tmp_path / "lock"), list[float]()
    monkeypatch.setattr(locks.time, "sleep", waited.append)
    monkeypatch.setattr(locks.time, "monotonic", iter([0.0, 0.5, 1.0, 1.01]).__next__)
    assert acquire(tmp_path / "lock") is None
    assert len(waited) == 2
    assert owner is not None
    os.close(owner)
