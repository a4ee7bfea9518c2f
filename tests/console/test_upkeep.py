"""Upkeep: nobody has to read the whole log of a run that had a supervisor, neither while it goes on nor afterwards."""

from __future__ import annotations

from pathlib import Path

from tests.supervised import LONG, Supervised, make_run
from vlmft_console.history import summary
from vlmft_console.history.opened import open_log
from vlmft_console.runs.folder import RunFolder
from vlmft_console.runs.known_figures import KnownFigures
from vlmft_console.runs.upkeep import Upkeep


def summed_up(run: RunFolder) -> int:
    """Bytes of its log that its summary stands for; 0 where it has none."""
    log = open_log(run)
    return summary.read_so_far(log) if summary.take_up(log) else 0


def test_a_long_log_is_summed_up_while_its_run_goes_on_and_whole_in_the_end(tmp_path: Path) -> None:
    run = Supervised(tmp_path, 1, *LONG, "--pad-kb=400", "--step-s=0.02")
    run.wait(run.folder.summary.exists)
    assert run.status().state == "running"
    assert summed_up(run.folder) >= 8 << 20
    assert set(run.folder.processes()) == {"supervisor", "launcher", "rank 0"}
    run.finish()
    assert run.wait_for_end()["status"] == "finished"
    run.wait(lambda: summed_up(run.folder) == run.folder.events_file().stat().st_size)
    run.wait(lambda: KnownFigures().of(run.folder))


def test_the_figures_of_a_short_run_are_left_and_no_summary(tmp_path: Path) -> None:
    run = Supervised(tmp_path, 2, "--steps=3")
    run.wait_for_end()
    run.wait(lambda: KnownFigures().of(run.folder))
    figures = KnownFigures().of(run.folder)
    assert figures is not None
    assert (figures.step, figures.total_steps, figures.health) == (3, 3, "ok")
    assert not run.folder.summary.exists()


def test_a_log_has_one_reader_at_a_time(tmp_path: Path) -> None:
    upkeep = Upkeep(make_run(tmp_path, "run", 1))
    assert upkeep.look(8 << 20)
    assert upkeep.look(1 << 40) is None
    upkeep.finish()  # waits for that one
    assert upkeep.look(1 << 40) is None
