"""Asking a trained model: answers in order, and mistakes found before the model is loaded."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from tests.trainer.trained import Said, preset, write_tuned
from vlmft_core.errors import DataError
from vlmft_core.jobs import Ask, PredictJob
from vlmft_core.preset import Source
from vlmft_trainer.data.sources import Split, open_split
from vlmft_trainer.programs.predict import AskedRows, predict, read_batch


@pytest.fixture
def picture(tmp_path: Path) -> Path:
    Image.new("RGB", (120, 90), (200, 0, 0)).save(tmp_path / "red.png")
    return tmp_path / "red.png"


def job(sources: list[Source], questions: list[Ask], **changes: Any) -> PredictJob:
    return PredictJob(**{"preset": preset(sources), "questions": questions, "max_new_tokens": 6, **changes})


def test_questions_with_and_without_an_image_are_answered_in_their_order(
    sources: list[Source], picture: Path, tmp_path: Path
) -> None:
    batch = tmp_path / "batch.jsonl"
    batch.write_text('{"image": "red.png", "question": "Which colour?", "id": 7}\n\n{"question": "Hello?"}\n')
    said = Said()
    predict(job(sources, [Ask(question="Which colour?", image=str(picture))], batch=str(batch)), said)
    answers = [value for name, value in said.all if name == "answer"]
    assert [one["index"] for one in answers] == [0, 1, 2]
    assert [one["question"] for one in answers] == ["Which colour?", "Which colour?", "Hello?"]
    assert [one["image"] for one in answers] == [str(picture), str(picture), None]
    assert answers[0]["answer"] == answers[1]["answer"] != ""


def test_an_adapter_changes_the_answers(sources: list[Source], tmp_path: Path) -> None:
    write_tuned(tmp_path / "adapter")
    charts = open_split(sources[0], sources[0].train_split)
    asked = []
    for row in range(4):
        question, (image,) = charts.sample(row)
        image.save(tmp_path / f"{row}.png")
        asked.append(Ask(question=question.prompt.partition("\n")[0], image=str(tmp_path / f"{row}.png")))
    answers = []
    for adapter in (None, str(tmp_path / "adapter")):
        said = Said()
        predict(job(sources, asked, adapter=adapter, task="chartqa"), said)
        answers.append([value["answer"] for name, value in said.all if name == "answer"])
    assert answers[0] != answers[1]


@pytest.mark.parametrize("task", ["chartqa", "textvqa"])
def test_a_task_words_the_question_as_its_data_set_does(sources: list[Source], picture: Path, task: str) -> None:
    source = next(source for source in sources if source.task == task)
    trained_on = open_split(source, source.train_split).conversation(0)
    asked = trained_on.prompt.partition("\n")[0]
    here = Split(task, AskedRows(task, [Ask(question=asked, image=str(picture))])).conversation(0)
    assert here.turns[:-1] == trained_on.turns[:-1]


@pytest.mark.parametrize(
    ("image", "reason"), [("none.png", "no such file"), ("text.png", "question 1"), ("http://x.org/a.png", "network")]
)
def test_an_image_that_cannot_be_used_is_said_before_the_model_is_loaded(
    sources: list[Source], tmp_path: Path, image: str, reason: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "text.png").write_text("no picture")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("vlmft_trainer.programs.predict.load_weights", lambda *_: pytest.fail("the model was loaded"))
    with pytest.raises(DataError, match=reason):
        predict(job(sources, [Ask(question="What?", image=image)]), Said())


@pytest.mark.parametrize("line", ["{", "[]", '{"image": "a.png"}', '{"question": 3}', '{"question": "a", "image": 1}'])
def test_a_broken_line_of_a_batch_is_named(tmp_path: Path, line: str) -> None:
    file = tmp_path / "batch.jsonl"
    file.write_text(json.dumps({"question": "fine"}) + "\n" + line + "\n")
    with pytest.raises(DataError, match=rf"{file}:2: not a question"):
        read_batch(file)


def test_an_empty_or_missing_batch_is_said(tmp_path: Path) -> None:
    (tmp_path / "empty.jsonl").write_text("\n")
    with pytest.raises(DataError, match="no questions"):
        read_batch(tmp_path / "empty.jsonl")
    with pytest.raises(DataError, match="No such file"):
        read_batch(tmp_path / "none.jsonl")
