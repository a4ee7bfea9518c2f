"""Rows of odd steps in words, in the state of a run, and in the panel of its health."""

from __future__ import annotations

from typing import Any

import pytest

from tests import records
from vlmft_console.history.odd_rows import finding_rows, grouped, odd_step_words, other_odd_steps, rows_words
from vlmft_console.history.state import RunState
from vlmft_core.run_folder.events import Record


def odd(step: int, **fields: Any) -> Record:
    values = {"step": step, "why": "the loss is not finite", "rows": [f"a.json, line {step}"], "of": 1, "suspects": []}
    return records.record("rows", **values | fields)


def state_of(*made: Record) -> RunState:
    state = RunState()
    state.apply_all([records.run_start(), records.plan(), *made])
    return state


def test_rows_of_one_file_are_told_together() -> None:
    rows = ["a.json, line 3", "b, split train, row 7", "a.json, line 17", "c, with a, line 2"]
    assert grouped(rows) == "a.json, lines 3, 17; b, split train, row 7; c, with a, line 2"


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({}, "rows: a.json, line 4"),
        ({"rows": [f"a.json, line {n}" for n in range(1, 9)], "of": 128}, "lines 1, 2, 3, 4, 5, 6 and 122 more"),
        ({"suspects": ["a.json, line 2"], "of": 128}, "rows: a.json, line 2, of 128 rows in the step"),
        ({"rows": None, "suspects": 5, "of": "x"}, "rows: not named"),
    ],
)
def test_a_line_names_the_suspects_or_the_first_rows(fields: dict[str, Any], words: str) -> None:
    assert rows_words(odd(4, **fields)).endswith(words)


def test_a_resume_supersedes_the_odd_steps_that_it_makes_again() -> None:
    state = state_of(odd(2), records.step(2), odd(5), records.step(5), records.run_start(2, resumed_from=3), odd(4))
    assert [record["step"] for record in state.odd_steps] == [2, 4]


def test_those_of_a_finding_stand_with_it_and_the_others_apart() -> None:
    steps = [records.step(number) for number in range(1, 31)]
    broken = records.step(31, None, nonfinite=["loss"])
    state = state_of(*steps[:9], odd(10, why="loss 9, 9.0 times the median"), *steps[9:], odd(31), broken)
    finding = next(finding for finding in state.findings if finding.rule == "non_finite")
    assert (finding.step, finding_rows(state, finding)) == (31, "rows: a.json, line 31")
    assert [odd_step_words(record) for record in other_odd_steps(state)] == [
        "step 10: loss 9, 9.0 times the median; rows: a.json, line 10"
    ]
