"""Scores of single questions in a run folder: read whatever stands there."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from vlmft_core.run_folder import scores
from vlmft_core.run_folder.scores import add_points, common, read_points


def test_what_was_added_is_read_and_an_eval_made_again_counts_as_made_last(tmp_path: Path) -> None:
    file = tmp_path / "scores.jsonl"
    add_points(file, 0, "chartqa", {"a": 1.0, "b": 0.0})
    add_points(file, 8, "chartqa", {"a": 0.0, "c": 0.3})
    add_points(file, 8, "chartqa", {"a": 1.0, "c": 0.6})
    found = read_points(file)
    assert found == {(0, "chartqa"): {"a": 1.0, "b": 0.0}, (8, "chartqa"): {"a": 1.0, "c": 0.6}}
    assert common(found[0, "chartqa"], found[8, "chartqa"]) == [(1.0, 1.0)]
    assert file.stat().st_mode & 0o777 == 0o600


def test_lines_that_are_something_else_are_passed_over(tmp_path: Path) -> None:
    file = tmp_path / "scores.jsonl"
    broken = ["", "[]", "{", '{"step":[],"task":"t","points":{}}', '{"step":1,"task":"t","points":[1]}']
    broken += ['{"step":1,"task":"t","points":{"a":"1"}}', '{"step":true,"task":"t","points":{"a":1}}']
    file.write_text("\n".join([*broken, '{"step":2,"task":"t","points":{"a":1,"b":7,"c":-1}}', '{"step":3,"ta']))
    assert read_points(file) == {(2, "t"): {"a": 1.0}}


def test_a_line_torn_by_a_kill_takes_no_other_with_it(tmp_path: Path) -> None:
    file = tmp_path / "scores.jsonl"
    file.write_text('{"step":3,"ta')
    add_points(file, 8, "t", {"a": 1.0})
    assert read_points(file) == {(8, "t"): {"a": 1.0}}


def test_of_a_long_file_the_base_and_the_latest_evals_are_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "scores.jsonl"
    for step in range(100):
        add_points(file, step, "t", {"a": 1.0})
    monkeypatch.setattr(scores, "MOST_BYTES", 400)
    monkeypatch.setattr(scores, "_HEAD", 100)
    steps = [step for step, _ in read_points(file)]
    assert steps[:2] == [0, 1]
    assert steps[-2:] == [98, 99]
    assert len(steps) < 20


def test_no_file_and_no_regular_file_have_no_scores(tmp_path: Path) -> None:
    assert read_points(tmp_path / "none") == read_points(tmp_path) == {}
    os.mkfifo(tmp_path / "fifo")
    assert read_points(tmp_path / "fifo") == {}
