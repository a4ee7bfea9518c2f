"""Run layout: every file name of a run is spelled in one place."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from vlmft_core.run_folder import layout
from vlmft_core.run_folder.layout import RunLayout, is_run, segment_file, segment_files

CHECKOUT = Path(__file__).resolve().parents[2]
SPELLED = re.compile(
    r"preset\.yaml|run\.json|proc\.json|(?<!\w)(stop|exit)\.json|exit-|ranks\.lock|\.exit\.reserve|events-|training_(\W|$)"
    r"|checkpoint-|supervisor\.log|adapter_(model|config)\.|^(logs|lock)$"
)
ALSO_CALLED_SO = {("paths.py", "logs"), ("cli.py", "logs"), ("eval.py", "lock"), ("jsonl.py", "logs")}
"""The checkout's folder of recorded runs, the command `vlmft logs`, the lock in an eval's own folder, and a key."""


def texts(path: Path) -> Iterator[str]:
    """The texts in a module's code, documentation left out."""
    tree = ast.parse(path.read_text())
    prose = {
        id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)
    }
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in prose:
            yield node.value


def test_no_other_module_spells_the_name_of_a_file_of_a_run() -> None:
    found = [
        (str(path.relative_to(CHECKOUT)), text)
        for folder in ("console", "trainer")
        for path in (CHECKOUT / folder).rglob("*.py")
        if path != Path(layout.__file__)
        for text in texts(path)
        if SPELLED.search(text) and (path.name, text) not in ALSO_CALLED_SO
    ]
    assert found == []


def test_the_files_of_a_run_are_where_they_always_were(tmp_path: Path) -> None:
    run = RunLayout(tmp_path / "best")
    assert [
        str(path.relative_to(run.path))
        for path in (
            run.preset_file,
            run.run_file,
            run.processes_file,
            run.lock,
            run.ranks_lock,
            run.stop_file,
            run.exit_file,
            run.adapter,
            run.checkpoint(1200),
            run.events_file(),
            run.events_file(12),
            run.new_training_log("20261129T154807Z"),
            run.earlier_exit_file(2),
        )
    ] == [
        "preset.yaml",
        "run.json",
        "proc.json",
        "lock",
        "ranks.lock",
        "stop.json",
        "exit.json",
        "adapter",
        "checkpoint-1200",
        "logs/events-0001.jsonl",
        "logs/events-0012.jsonl",
        "logs/training_20261129T154807Z.log",
        "logs/exit-0002.json",
    ]


def test_segments_come_in_the_order_of_their_numbers_and_nothing_else_is_one(tmp_path: Path) -> None:
    run = RunLayout(tmp_path)
    assert (run.segments, run.last_segment, run.training_log) == ([], 0, None)
    run.logs.mkdir()
    for number in (10_000, 2, 9999, 1):
        run.events_file(number).touch()
    for name in ("events-.jsonl", "events-old.jsonl", "events-0000.jsonl", "events-0003.txt"):
        (run.logs / name).touch()
    assert run.segments == segment_files(run.logs) == [segment_file(run.logs, n) for n in (1, 2, 9999, 10_000)]
    assert run.last_segment == 10_000


def test_the_newest_plain_log_is_the_runs(tmp_path: Path) -> None:
    run = RunLayout(tmp_path)
    run.logs.mkdir()
    for stamp in ("20261129T154807Z", "20261201T000000Z", "20261130T235959Z"):
        run.new_training_log(stamp).touch()
    assert run.training_log == run.new_training_log("20261201T000000Z")


def test_what_a_training_left_is_its_adapter_and_its_checkpoints(tmp_path: Path) -> None:
    run = RunLayout(tmp_path)
    with pytest.raises(OSError, match="none"):
        print(RunLayout(tmp_path / "none").results)
    for name in ("logs", "adapter-of-mine", "adapter", "checkpoint-8", "checkpoint-16"):
        (tmp_path / name).mkdir()
    (tmp_path / "checkpoint-9").touch()
    assert [path.name for path in run.results] == ["adapter", "checkpoint-16", "checkpoint-8", "checkpoint-9"]
    assert sorted(path.name for path in run.checkpoints) == ["checkpoint-16", "checkpoint-8"]


def test_a_run_folder_is_what_says_how_it_was_started(tmp_path: Path) -> None:
    run = RunLayout(tmp_path)
    assert not is_run(tmp_path)
    run.run_file.mkdir()
    assert not is_run(tmp_path)
    run.run_file.rmdir()
    run.run_file.write_text("{}")
    assert is_run(tmp_path)
