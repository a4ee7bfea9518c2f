"""`vlmft answers`, as a person calls it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from tests.kept_answers import HOSTILE, keep, question, three_evals
from tests.run_folders import ended_run
from vlmft_console.cli import app
from vlmft_core.run_folder.layout import RunLayout


def call(*arguments: str) -> Result:
    return CliRunner().invoke(app, ["answers", *arguments], env={"COLUMNS": "120"})


@pytest.fixture
def run(tmp_path: Path) -> Path:
    return ended_run(tmp_path, "one").path


def test_base_and_adapter_stand_beside_each_other_at_the_newest_eval(run: Path) -> None:
    three_evals(run)
    lines = call(str(run)).stdout.splitlines()
    assert lines[0].split() == ["question", "truth", "base", "now"]
    cells = "right", "How high is bar 1? Answer the question with a single word.", "1", "no idea (wrong)", "1 (right)"
    assert " ".join(lines[2].split()) == " ".join(cells)
    assert lines[-1] == "base 0 of 6 right, step 20 5 of 6 right"


def test_only_what_is_wrong_or_changed_is_listed_when_asked_for(run: Path) -> None:
    three_evals(run)
    assert [line.split()[0] for line in call(str(run), "--wrong").stdout.splitlines()[1:-1]] == ["wrong"]
    at_ten = call(str(run), "--step=10", "--changed").stdout
    assert [f"bar {number}?" in at_ten for number in range(6)] == [False, True] * 3
    assert "step 10 3 of 6 right" in at_ten


def test_json_has_everything_but_the_pictures(run: Path) -> None:
    three_evals(run)
    found = json.loads(call(str(run), "--json", "--step=10").stdout)
    assert (found["step"], found["steps"], len(found["questions"])) == (10, [0, 10, 20], 6)
    assert found["questions"][1] == {
        "key": "0" * 15 + "1",
        "task": "chartqa",
        "question": "How high is bar 1?\nAnswer the question with a single word.",
        "truth": ["1"],
        "where": "val.json, line 1",
        "image": "png/1.png",
        "images": 1,
        "base": {"answer": "no idea", "points": 0.0, "worth": "wrong"},
        "now": {"answer": "1", "points": 1.0, "worth": "right"},
    }


def test_the_base_alone_is_shown_before_the_first_eval(run: Path) -> None:
    keep(run, [question(1)], {0: ["no idea"]})
    told = call(str(run)).stdout
    assert "no idea (wrong)" in told
    assert told.splitlines()[-1] == "base 0 of 1 right"


def test_a_run_without_answers_and_a_step_without_an_eval_are_said_in_one_line(run: Path) -> None:
    nothing = call(str(run))
    assert nothing.exit_code == 2
    assert "has no answers (none were given yet, " in nothing.stderr
    three_evals(run)
    missed = call(str(run), "--step=11")
    assert missed.exit_code == 2
    assert missed.stderr == "vlmft: --step 11: no questions were answered there (answers are of step 0, 10, 20)\n"


def test_hostile_texts_reach_the_terminal_as_text_and_fake_no_line(run: Path) -> None:
    keep(run, [question(1, text=HOSTILE, truth=[HOSTILE])], {0: ["no idea"], 10: [HOSTILE]})
    for told in (call(str(run)).stdout, call(str(run), "--json").stdout):
        assert not set(told) & set("\x1b\x07\u202e")
        assert not any(line.startswith("step 9") for line in told.splitlines())


def test_lines_that_are_not_understood_are_counted_and_answers_without_their_question_are_shown(run: Path) -> None:
    three_evals(run)
    file = RunLayout(run).answers_file
    first, *rest = file.read_text().splitlines(keepends=True)
    file.write_text("".join([first[:40] + "\n", *rest]))
    told = call(str(run))
    assert told.stderr == "note: lines of the run's answers that are not understood: 1\n"
    assert "(the question is not kept)" in told.stdout
    assert "step 20 5 of 6 right" in told.stdout
    assert call(str(run), "--json").stderr == told.stderr


def test_damaged_answers_are_not_taken_for_none(run: Path) -> None:
    file = RunLayout(run).answers_file
    file.write_text("damaged\n")
    told = call(str(run))
    assert (told.exit_code, told.stderr.splitlines()) == (
        2,
        [f"vlmft: {run} has no answers that can be shown: lines of the run's answers that are not understood: 1"],
    )
    file.unlink()
    file.mkdir()
    assert call(str(run)).stderr == f"vlmft: {run} has no answers that can be shown: {file} is not a regular file\n"
