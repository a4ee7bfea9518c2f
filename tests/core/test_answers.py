"""Answers in a run folder: written and read again, whatever else stands in the file."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vlmft_core.run_folder import answers
from vlmft_core.run_folder.answers import Answer, Question, add_answers, add_questions, read_answers
from vlmft_core.run_folder.picture import Picture

QUESTION = Question(
    "0" * 16,
    "chartqa",
    "How high is A?\n",
    ("7", "seven"),
    "val.json, line 3",
    "a.png",
    1,
    Picture.of(2, 1, b"\0\1", b"abcdef"),
)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "answers.jsonl"


def test_questions_and_answers_are_read_as_they_were_written(file: Path) -> None:
    add_questions(file, [QUESTION])
    add_answers(file, 0, "chartqa", {QUESTION.key: Answer("no idea", 0.0)})
    add_answers(file, 8, "chartqa", {QUESTION.key: Answer("s\u2028even ✓", 1.0)})
    found = read_answers(file)
    assert found.questions == {QUESTION.key: QUESTION}
    assert found.by_step[0][QUESTION.key] == Answer("no idea", 0.0)
    assert found.by_step[8][QUESTION.key].right
    assert (found.evals, found.newest, found.not_read) == ([8], 8, 0)


def test_an_eval_made_again_counts_as_made_last_and_is_the_newest(file: Path) -> None:
    for step, text in ((4, "a"), (8, "b"), (4, "c")):
        add_answers(file, step, "chartqa", {"k": Answer(text, 0.0)})
    add_answers(file, 4, "textvqa", {"l": Answer("d", 0.0)})
    found = read_answers(file)
    assert {key: answer.text for key, answer in found.by_step[4].items()} == {"k": "c", "l": "d"}
    assert (found.evals, found.newest) == ([4, 8], 4)


@pytest.mark.parametrize(
    "line",
    [
        "",
        "nonsense",
        "[]",
        "3",
        "null",
        "{}",
        '{"answers": {"k": ["a", 2]}, "step": 1}',
        '{"answers": {"k": ["a"]}, "step": 1}',
        '{"answers": {"k": [3, 1]}, "step": 1}',
        '{"answers": [], "step": 1}',
        '{"answers": {}, "step": -1}',
        '{"answers": {}, "step": "1"}',
        '{"key": "k", "task": "t", "question": "q", "truth": [], "where": "w", "image": 3, "images": 1}',
        '{"key": "k", "task": "t", "question": "q", "truth": "t", "where": "", "image": "", "images": 1, "picture": 0}',
        '{"key": "k", "task": "t", "question": "", "truth": [], "where": "", "image": "", "images": 1.5, "picture": 0}',
    ],
)
def test_a_line_of_another_kind_is_counted_and_harms_no_other(file: Path, line: str) -> None:
    add_questions(file, [QUESTION])
    with file.open("a") as opened:
        opened.write(line + "\n")
    add_answers(file, 8, "chartqa", {"k": Answer("7", 1.0)})
    found = read_answers(file)
    assert found.not_read == 1
    assert list(found.questions) == [QUESTION.key]
    assert found.by_step == {8: {"k": Answer("7", 1.0)}}


def test_a_line_torn_by_a_kill_takes_no_other_with_it(file: Path) -> None:
    add_answers(file, 4, "chartqa", {"k": Answer("7", 1.0)})
    file.write_bytes(file.read_bytes() + b'{"step": 8, "ta')
    assert (read_answers(file).evals, read_answers(file).not_read) == ([4], 1)
    add_answers(file, 12, "chartqa", {"k": Answer("7", 1.0)})
    assert read_answers(file).evals == [4, 12]


def test_the_file_stays_within_its_bounds(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(answers, "MOST_BYTES", 2_000)
    long = {"k": Answer("x" * 900, 0.0)}
    assert [add_answers(file, step, "chartqa", long) for step in (1, 2, 3)] == [True, True, False]
    assert file.stat().st_size < 2_000
    assert read_answers(file).evals == [1, 2]
    with file.open("a") as opened:
        opened.write("0" * 5_000)
    assert read_answers(file).not_read


def test_a_long_answer_is_cut(file: Path) -> None:
    add_answers(file, 1, "chartqa", {"k": Answer("x" * 10_000, 0.0)})
    assert read_answers(file).by_step[1]["k"].text == "x" * answers.LONGEST


def test_nothing_is_read_from_what_is_no_file(file: Path) -> None:
    assert read_answers(file).by_step == {}
    os.mkfifo(file)
    assert read_answers(file).by_step == {}


def test_no_link_is_written_through(file: Path, tmp_path: Path) -> None:
    (tmp_path / "other").write_text("mine")
    file.symlink_to(tmp_path / "other")
    with pytest.raises(OSError, match=r"answers\.jsonl"):
        add_answers(file, 1, "chartqa", {})
    assert (tmp_path / "other").read_text() == "mine"


_TEXT = st.text("ab0\u00e9\n", max_size=4)
_JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**64 - 1) | st.floats(allow_nan=False) | _TEXT,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(_TEXT, inner, max_size=3),
    max_leaves=6,
)
_FIELDS = (
    "key",
    "task",
    "question",
    "truth",
    "where",
    "image",
    "images",
    "picture",
    "step",
    "answers",
    "size",
    "pixels",
)


@given(lines=st.lists(st.binary(max_size=40) | st.dictionaries(st.sampled_from(_FIELDS), _JSON), max_size=6))
def test_whatever_stands_in_the_file_is_read_or_counted(
    tmp_path_factory: pytest.TempPathFactory, lines: list[bytes | dict[str, object]]
) -> None:
    file = tmp_path_factory.getbasetemp() / "any.jsonl"
    written = [line.replace(b"\n", b"") if isinstance(line, bytes) else json.dumps(line).encode() for line in lines]
    file.write_bytes(b"".join(line + b"\n" for line in [*written, *written]))
    found = read_answers(file)
    for step, said in found.by_step.items():
        assert type(step) is int
        assert all(isinstance(answer.text, str) and 0 <= answer.points <= 1 for answer in said.values())
    assert found.not_read + 2 * len(found.questions) + 2 * len(found.by_step) <= 2 * len(lines)
