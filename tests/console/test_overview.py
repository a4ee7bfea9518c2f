"""Every run at a glance."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.run_folders import ended_run
from tests.supervised import LONG, Supervised
from vlmft_console.history.state import RunState
from vlmft_console.runs.overview import Overview, RunIndex
from vlmft_core.run_folder.stop import StopRequest


def index_of(root: Path, recorded: list[Path] | None = None) -> RunIndex:
    return RunIndex(lambda: [root], lambda: recorded or [])


def named(index: RunIndex, *wanted: Path) -> dict[str, Overview]:
    runs, more = index.look(wanted, seconds=60)
    assert not more
    return {run.folder.name: run for run in runs}


def test_runs_that_ended_are_read_when_wanted_and_only_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first, other = ended_run(tmp_path, "first").path, ended_run(tmp_path, "other").path
    index = index_of(tmp_path)
    assert not any(run.read for run in named(index).values())
    runs = named(index, first)
    assert (runs["first"].read, runs["other"].read) == (True, False)
    assert (runs["first"].step, runs["first"].total_steps, runs["first"].progress) == (20, 20, 1.0)
    assert (runs["first"].loss, runs["first"].eval_loss) == (0.1, 1.05)
    assert runs["first"].preset == "good"

    def fail(self: RunState, records: object) -> None:
        raise AssertionError("read again")

    monkeypatch.setattr(RunState, "apply_all", fail)
    assert named(index, first) == runs
    monkeypatch.undo()
    assert named(index, first, other)["other"].read


def test_reading_many_runs_comes_in_portions(tmp_path: Path) -> None:
    paths = [ended_run(tmp_path, f"run{number}").path for number in range(3)]
    index = index_of(tmp_path)
    runs, more = index.look(paths, seconds=0)
    assert more
    assert sum(run.read for run in runs) == 1


def test_live_runs_come_first_then_newer_ones_then_samples(tmp_path: Path) -> None:
    ended_run(tmp_path / "outputs", "old", hours=5)
    ended_run(tmp_path / "outputs", "new", hours=1)
    sample = ended_run(tmp_path / "logs", "healthy").path
    run = Supervised(tmp_path / "outputs", 1, *LONG, name="live")
    run.wait_for_ranks()
    index = index_of(tmp_path / "outputs", [sample])
    assert list(named(index)) == ["live", "new", "old", "healthy"]
    before = named(index)["live"]
    assert (before.status.state, before.read) == ("running", True)
    run.wait(lambda: named(index)["live"].step > before.step)
    assert named(index)["live"].eta_seconds is not None
    StopRequest("a test").write(run.folder)
    run.wait(lambda: not named(index)["live"].status.live)
    after = named(index, run.folder.path)["live"]
    assert (after.status.state, after.read, after.eta_seconds) == ("stopped", True, None)


def test_a_sample_tells_how_it_ended_from_its_log_alone(tmp_path: Path) -> None:
    sample = ended_run(tmp_path, "healthy", status="crashed")
    sample.exit_file.unlink()
    index = index_of(tmp_path / "none", [sample.path])
    assert named(index)["healthy"].status.state == "recorded"
    with sample.events_file().open("a") as log:
        log.write('{"v":1,"seq":99,"t":1.0,"mono":1.0,"event":"run_end","status":"finished"}\n')
    run = named(index, sample.path)["healthy"]
    assert (run.status.state, run.recorded) == ("finished", True)


def test_the_worst_finding_that_holds_is_told(tmp_path: Path) -> None:
    run = ended_run(tmp_path, "overfit", steps=40, total=40, rising=True)
    finding = named(index_of(tmp_path), run.path)["overfit"].finding
    assert finding is not None
    assert finding.severity == "stop"


def test_runs_that_appear_and_disappear_are_noticed(tmp_path: Path) -> None:
    index = index_of(tmp_path)
    assert named(index) == {}
    run = ended_run(tmp_path, "one")
    assert list(named(index)) == ["one"]
    run.path.rename(tmp_path / "two")
    assert list(named(index)) == ["two"]
    (tmp_path / "link").symlink_to(tmp_path / "two")
    assert list(named(index)) == ["two"]


def test_a_log_that_cannot_be_read_is_said_and_hides_no_other_run(tmp_path: Path) -> None:
    broken, good = ended_run(tmp_path, "broken"), ended_run(tmp_path, "good")
    broken.events_file().unlink()
    broken.events_file().mkdir()
    runs = named(index_of(tmp_path), broken.path, good.path)
    assert runs["broken"].status.state == "unreadable"
    assert "not a regular file" in runs["broken"].status.reason
    assert runs["good"].status.state == "finished"
