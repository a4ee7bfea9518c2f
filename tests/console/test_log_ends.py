"""Ends of a log: what they tell is what the whole log tells; where that is not sure, they tell nothing."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

import orjson
import pytest

from tests.records import evaluated, plan, record, run_start, step
from vlmft_console.history import log_ends
from vlmft_console.history.log_ends import UNJUDGED, figures_at_ends
from vlmft_console.history.log_figures import LogFigures
from vlmft_console.history.state import RunState
from vlmft_core.run_folder.events import Record
from vlmft_core.run_folder.tail import Tail

NEEDLE = '"event":"step"'
RUN = [run_start(), plan(), *map(step, range(1, 40)), evaluated(39, 1.25), record("heartbeat", 40, step=40)]
FINISHED = [record("note", 41, message=f"says {NEEDLE} and {{"), record("run_end", 42, status="finished")]


def written(path: Path, records: Iterable[Record], torn: bytes = b"") -> Path:
    path.write_bytes(b"".join(orjson.dumps(one) + b"\n" for one in records) + torn)
    return path


def whole(log: Path) -> LogFigures:
    """What lists show of what the whole log tells, as far as its ends may tell it, too."""
    state = RunState()
    state.apply_all(Tail(log).read())
    figures = LogFigures.of(state)
    return replace(figures, best_eval_loss=None, best_step=None, checkpoints=[], health=UNJUDGED)


@pytest.mark.parametrize(
    ("records", "torn"),
    [
        (RUN, b""),
        ([*RUN, *FINISHED], b""),
        ([*RUN, *FINISHED], orjson.dumps(step(41))[:-9]),
        ([*RUN, *FINISHED], orjson.dumps(step(41))),
        ([*RUN, *FINISHED], b'{"event":"step","step":-3}\n'),
        (RUN[:20], b""),
        ([run_start(2, 10), plan(), step(11), step(12)], b""),
        ([*RUN, record("step-like", 41, step=77), record("eval", 42, step=9)], b""),
        ([*RUN, step(41, 0), evaluated(20, 0.5)], b""),
    ],
)
def test_the_ends_tell_what_the_whole_log_tells(tmp_path: Path, records: list[Record], torn: bytes) -> None:
    log = written(tmp_path / "log", records, torn)
    assert figures_at_ends([log]) == whole(log)


@pytest.mark.parametrize(
    "records",
    [
        [],
        [run_start()],
        [run_start(), plan()],
        RUN[2:],
        [*RUN, run_start(), step(3)],
        [*RUN, step(41, None, nonfinite=["loss"])],
        [*RUN, evaluated(40, None, nonfinite=["eval_loss"])],
    ],
)
def test_where_only_the_whole_log_is_sure_the_ends_tell_nothing(tmp_path: Path, records: list[Record]) -> None:
    assert figures_at_ends([written(tmp_path / "log", records)]) is None


def test_an_eval_too_far_back_is_not_taken_for_none(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    log = written(tmp_path / "log", [*RUN, *map(step, range(41, 80))])
    monkeypatch.setattr(log_ends, "_TAIL", 2000)
    assert figures_at_ends([log]) is None


@pytest.mark.parametrize("first", [1, 300, 3000])
def test_an_eval_further_back_is_looked_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, first: int) -> None:
    log = written(tmp_path / "log", [*RUN, *map(step, range(41, 80))])
    monkeypatch.setattr(log_ends, "_FIRST", first)
    assert figures_at_ends([log]) == whole(log)


def test_other_spelling_other_files_and_several_segments_tell_nothing(tmp_path: Path) -> None:
    log = written(tmp_path / "log", RUN)
    spaced = tmp_path / "spaced"
    spaced.write_bytes(log.read_bytes().replace(b":", b": "))
    (tmp_path / "folder").mkdir()
    assert figures_at_ends([log, log]) is None
    for path in (spaced, tmp_path / "folder", tmp_path / "none"):
        assert figures_at_ends([path]) is None
    assert figures_at_ends([]) is None
