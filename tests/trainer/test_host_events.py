"""`host` events: what a host says of itself, and how rank 0 learns it of the others."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest

from vlmft_core.run_folder.events import HOST, NOTE, EventWriter, Record, parse
from vlmft_core.run_folder.layout import RunLayout
from vlmft_trainer.distributed import ranks
from vlmft_trainer.training.callbacks import host_events
from vlmft_trainer.training.callbacks.host_events import FIGURES, HostEvents, HostFigures
from vlmft_trainer.training.run_log import RunLog

MEMINFO = "MemTotal: 1048576 kB\nMemFree: 1 kB\nMemAvailable: 262144 kB\nHugePages_Total: 0\n"


def kernel(folder: Path, stat: str = "cpu 100 0 100 700 100 0 0 0 0 0\n", meminfo: str = MEMINFO) -> Path:
    (folder / "stat").write_text(stat)
    (folder / "meminfo").write_text(meminfo)
    return folder


@contextmanager
def opened(run: RunLayout) -> Iterator[RunLog]:
    run.logs.mkdir(parents=True, exist_ok=True)
    with closing(RunLog(EventWriter(run.events_file()))) as log:
        yield log


def told(run: RunLayout) -> list[Record]:
    records = (parse(line) for line in run.events_file().read_bytes().splitlines())
    return [record for record in records if record is not None]


def wait_for(condition: Callable[[], object]) -> None:
    deadline = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < deadline
        threading.Event().wait(0.005)


def test_the_figures_are_those_of_the_kernel(tmp_path: Path) -> None:
    figures = HostFigures(tmp_path, kernel(tmp_path))
    first = figures.read()
    assert first["cpu"] is None  # since when?
    assert (first["mem_gib"], first["mem_total_gib"]) == (0.75, 1.0)
    assert 0 <= (first["disk_free_gib"] or -1) <= (first["disk_total_gib"] or -1)
    kernel(tmp_path, "cpu 150 0 150 750 150 0 0 0 0 0\n")
    assert figures.read()["cpu"] == 50.0
    assert set(first) == set(FIGURES)


@pytest.mark.parametrize("stat", ["", "cpu\n", "cpu a b c d e\n", "cpu 1\n"])
def test_a_kernel_that_tells_something_else_gives_no_figure(tmp_path: Path, stat: str) -> None:
    figures = HostFigures(tmp_path / "gone", kernel(tmp_path, stat, "MemTotal: lots kB\n"))
    assert not any(figures.read().values())
    assert not any(figures.read().values())


def test_one_host_writes_its_own(tmp_path: Path) -> None:
    run = RunLayout(tmp_path)
    with opened(run) as log, HostEvents(log, run, seconds=0.01):
        wait_for(lambda: len(told(run)) > 2)
    events = told(run)
    assert {record["event"] for record in events} == {HOST}
    (host,) = events[0]["hosts"]
    assert host["index"] == 0
    assert host["mem_total_gib"] > 0
    assert not list(run.logs.glob(".host*"))


def on_hosts(monkeypatch: pytest.MonkeyPatch, rank: int) -> None:
    monkeypatch.setattr(ranks, "gather", lambda _: ["one", "one", "two", "two", "three"])
    monkeypatch.setattr(ranks, "rank", lambda: rank)


def test_every_other_host_leaves_its_figures_for_rank_0(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run = RunLayout(tmp_path)
    run.logs.mkdir()
    on_hosts(monkeypatch, 2)
    with HostEvents(RunLog(None), run, seconds=0.01):
        wait_for(run.host_file(1).exists)
        left = json.loads(run.host_file(1).read_text())
        assert set(left) == {"looks", *FIGURES}
    assert not run.host_file(1).exists()
    on_hosts(monkeypatch, 3)  # the second of its host
    with HostEvents(RunLog(None), run, seconds=0.01) as second:
        assert not second._thread.is_alive()


def test_a_file_that_cannot_be_deleted_does_not_fail_the_training(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = RunLayout(tmp_path)
    run.logs.mkdir()
    on_hosts(monkeypatch, 2)
    with HostEvents(RunLog(None), run, seconds=0.01):
        wait_for(run.host_file(1).exists)
        monkeypatch.setattr(host_events, "delete", lambda path: path.rename(path / "gone"))
    assert run.host_file(1).exists()


def test_rank_0_writes_those_of_all_hosts_and_names_one_that_is_silent(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = RunLayout(tmp_path)
    on_hosts(monkeypatch, 0)
    with opened(run) as log:
        run.host_file(1).write_text(json.dumps({"looks": 1, "cpu": 12.5, "name": "\x1b", "more": 1}))
        run.host_file(2).write_text("[" * 100_000)
        with HostEvents(log, run, seconds=0.001):
            wait_for(lambda: [record for record in told(run) if record["event"] == NOTE])
        run.host_file(1).write_text(json.dumps({"looks": 2, "cpu": 13.5}))
        first, *others = [record["hosts"] for record in told(run) if record["event"] == HOST]
    assert [(host["index"], host["name"]) for host in first] == [(0, "one"), (1, "two")]
    assert first[1] == {"index": 1, "name": "two", **dict.fromkeys(FIGURES), "cpu": 12.5}
    assert all(len(hosts) == 1 for hosts in others), "nothing new was told"
    (note,) = [record["message"] for record in told(run) if record["event"] == NOTE]
    assert "three" in note
    assert "two" not in note
