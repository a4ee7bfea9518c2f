"""`vlmft predict`: one question or many, and answers that cannot harm the terminal."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from tests.console.trained_models import Asked, write_run
from vlmft_console.cli import app

ANSWERS = [
    ("answer", {"index": 0, "images": ["a.png"], "question": "How many?", "answer": "12\x1b[31m"}),
    ("answer", {"index": 1, "images": [], "question": "Hello?", "answer": "no"}),
]


@pytest.fixture
def asked(here: Path, monkeypatch: pytest.MonkeyPatch) -> Asked:
    write_run(here / "outputs")
    return Asked(*ANSWERS).put(monkeypatch)


def predict(*arguments: str) -> Result:
    return CliRunner().invoke(app, ["predict", *arguments])


def test_one_question_is_answered_with_the_answer_alone(asked: Asked) -> None:
    asked.answers = (ANSWERS[0],)
    done = predict("mine", "How many?", "--image=a.png", "--task=chartqa", "--max-new-tokens=9")
    assert done.exit_code == 0
    assert done.stdout.startswith("12")
    assert "\x1b" not in done.stdout
    (one,) = asked.job.questions
    assert (one.question, one.images) == ("How many?", ["a.png"])
    assert (asked.job.task, asked.job.max_new_tokens) == ("chartqa", 9)


def test_in_a_pipe_and_as_json_no_picture_is_wanted_or_shown(asked: Asked) -> None:
    answer = {**ANSWERS[0][1], "pictures": [{"size": [1, 1], "pixels": "ff0000"}]}
    asked.answers = (("answer", answer),)
    assert predict("mine", "How many?", "--image=a.png").stdout.startswith("12")
    assert (asked.job.columns, asked.job.rows) == (0, 0)
    predict("mine", "How many?", "--json")
    assert asked.job.columns == 0


def test_a_batch_is_answered_a_line_each(asked: Asked) -> None:
    done = predict("mine", "--batch=questions.jsonl")
    assert done.stdout.splitlines()[1] == "Hello? -> no"
    assert asked.job.batch == "questions.jsonl"
    as_json = [json.loads(line) for line in predict("mine", "--batch=q.jsonl", "--json").stdout.splitlines()]
    assert as_json[1] == ANSWERS[1][1]


def test_a_question_has_as_many_pictures_as_are_given(asked: Asked) -> None:
    asked.answers = (ANSWERS[0],)
    assert (
        predict("mine", "Which?", "--image=a.png", "-i", "data:image/png;base64,AA", "-i", "http://x/y").exit_code == 0
    )
    assert asked.job.questions[0].images == ["a.png", "data:image/png;base64,AA", "http://x/y"]
    done = CliRunner().invoke(app, ["predict", "mine", "-"], input="Which one?\n")
    assert (done.exit_code, asked.job.questions[0].question) == (0, "Which one?")


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["mine"], "nothing is asked"),
        (["mine", " "], "the question is empty"),
        (["mine", "", "--batch", "asked.jsonl"], "the question is empty"),
        (["mine", "--image=a.png", "--batch=b.jsonl"], "--image without a question"),
        (["mine", "What?", "--image=-", "--batch=-"], "- is given more than once"),
        (["mine", "What?", "--image="], "--image without a file"),
        (["mine", "-"], "the question is empty"),
        (["mine", "What?", "--task=llava"], "for chartqa and textvqa only"),
        (["nobody", "What?"], "no run is called"),
    ],
)
def test_a_mistake_is_one_line_and_exit_2(asked: Asked, arguments: list[str], said: str) -> None:
    done = predict(*arguments)
    assert done.exit_code == 2
    assert said in done.stderr
    assert done.stderr.count("\n") == 1
    assert asked.job is None
