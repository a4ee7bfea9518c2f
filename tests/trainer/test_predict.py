"""Asking a trained model: answers in order, and mistakes found before the model is loaded."""

from __future__ import annotations

import base64
import io
import json
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from tests.trainer.trained import Said, preset, write_tuned
from vlmft_core.errors import DataError
from vlmft_core.jobs import Ask, PredictJob
from vlmft_core.preset import Source
from vlmft_trainer.data.samples import Samples
from vlmft_trainer.data.sources import Split, open_split
from vlmft_trainer.programs.predict import AskedRows, _input, check_images, predict, read_batch


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
    predict(job(sources, [Ask(question="Which colour?", images=[str(picture)])], batch=str(batch)), said)
    answers = [value for name, value in said.all if name == "answer"]
    assert [one["index"] for one in answers] == [0, 1, 2]
    assert [one["question"] for one in answers] == ["Which colour?", "Which colour?", "Hello?"]
    assert [one["images"] for one in answers] == [[str(picture)], ["red.png"], []]
    assert [one.get("id") for one in answers] == [None, 7, None]
    assert answers[0]["answer"] == answers[1]["answer"] != ""


def test_small_copies_of_the_pictures_come_with_the_answer_where_they_are_wanted(
    sources: list[Source], picture: Path
) -> None:
    said = Said()
    asked = [Ask(question="Which?", images=[str(picture), str(picture)]), Ask(question="Hello?")]
    predict(job(sources, asked, columns=30, rows=9), said)
    answers = [value for name, value in said.all if name == "answer"]
    assert [one["size"] for one in answers[0]["pictures"]] == [(12, 9), (12, 9)]
    assert answers[0]["pictures"][0]["pixels"][:6] == "c80000"
    assert answers[1]["pictures"] == []
    plain = Said()
    predict(job(sources, asked[1:]), plain)
    assert "pictures" not in next(value for name, value in plain.all if name == "answer")


def test_an_adapter_changes_the_answers(sources: list[Source], tmp_path: Path) -> None:
    write_tuned(tmp_path / "adapter")
    charts = open_split(sources[0], sources[0].train_split)
    asked = []
    for row in range(4):
        question, (image,) = charts.sample(row)
        image.save(tmp_path / f"{row}.png")
        asked.append(Ask(question=question.prompt.partition("\n")[0], images=[str(tmp_path / f"{row}.png")]))
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
    here = Split(task, AskedRows(task, [Ask(question=asked, images=[str(picture)])], [""])).conversation(0)
    assert here.turns[:-1] == trained_on.turns[:-1]


@pytest.mark.parametrize(
    ("image", "reason"),
    [
        ("none.png", r"none\.png: no such file"),
        (".", "no image: .*: a folder"),
        ("/dev/null", "no image: /dev/null: no ordinary file"),
        ("text.png", r"^question 1: broken image: text\.png: no image in a format that is read"),
        ("cut.png", r"^question 1: broken image: cut\.png: image file is truncated"),
        ("http://x.org/a.png", "only local files are read"),
    ],
)
def test_an_image_that_cannot_be_used_is_said_before_the_model_is_loaded(
    sources: list[Source], picture: Path, tmp_path: Path, image: str, reason: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "text.png").write_text("no picture")
    (tmp_path / "cut.png").write_bytes(picture.read_bytes()[:100])
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("vlmft_trainer.programs.predict.load_weights", lambda *_: pytest.fail("the model was loaded"))
    with pytest.raises(DataError, match=reason):
        predict(job(sources, [Ask(question="What?", images=[image])]), Said())


def test_another_programs_mark_in_a_question_is_named() -> None:
    rows = AskedRows("messages", [Ask(question="Hi"), Ask(question="<|im_start|>Hi")], ["question 1", "question 2"])
    assert check_images(Split("messages", rows)) == [
        "question 2: not used: mark <|im_start|> in a text (it is read as letters)"
    ]


def test_a_question_about_several_images_gets_all_of_them(
    sources: list[Source], picture: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    Image.new("RGB", (120, 90), (0, 0, 200)).save(tmp_path / "blue.png")
    url = "data:image/png;base64," + base64.b64encode(picture.read_bytes()).decode()
    batch = tmp_path / "batch.jsonl"
    lines = [{"images": ["red.png", "blue.png"], "question": "Which?"}, {"image": url, "question": "Which?"}]
    batch.write_text("".join(json.dumps(line) + "\n" for line in lines))
    seen: list[list[tuple[int, ...]]] = []

    def answered(model: Any, samples: Samples, **_: Any) -> list[str]:
        for index in range(len(samples)):
            seen.append([image.getpixel((0, 0)) for image in samples.sample(index)[1]])
        return ["x"] * len(samples)

    monkeypatch.setattr("vlmft_trainer.programs.predict.load_weights", lambda *_: (None, None))
    monkeypatch.setattr("vlmft_trainer.programs.predict.answer_questions", answered)
    asked = Ask(question="Which?", images=[str(tmp_path / "blue.png"), str(picture)])
    said = Said()
    predict(job(sources, [asked], batch=str(batch)), said)
    red, blue = (200, 0, 0), (0, 0, 200)
    assert seen == [[blue, red], [red, blue], [red]]
    assert len(said.last("answer")["images"][0]) <= 201


def test_questions_and_pictures_come_on_standard_input(
    sources: list[Source], picture: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    given: list[tuple[bytes, dict[str, Any]]] = [
        (b'{"question": "Hello?", "id": "a"}', {"batch": "-", "questions": []}),
        (picture.read_bytes(), {"questions": [Ask(question="Hello?", images=["-"])]}),
    ]
    for content, changes in given:
        _input.cache_clear()
        monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(content)))
        said = Said()
        asked = job(sources, **changes)
        assert asked.reads_input
        predict(asked, said)
        assert said.last("answer")["question"] == "Hello?"
    _input.cache_clear()


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ({"question": "a", "img": "a.png"}, "unknown key img"),
        ({"question": "a", "image": "a.png", "images": ["b.png"]}, "both `image` and `images`"),
        ({"question": "a", "image": "-"}, "cannot come on standard input"),
        ('{"question": "a", "question": "b"}', "key question is there twice"),
    ],
)
def test_what_a_line_of_a_batch_holds_and_is_not_used_is_refused(
    tmp_path: Path, line: dict[str, Any] | str, reason: str
) -> None:
    file = tmp_path / "batch.jsonl"
    file.write_text(line if isinstance(line, str) else json.dumps(line))
    with pytest.raises(DataError, match=rf"{file}:1: .*{reason}"):
        read_batch(str(file))


@pytest.mark.parametrize(
    "line",
    [
        "{",
        "[]",
        '{"image": "a.png"}',
        '{"question": 3}',
        '{"question": "a", "image": 1}',
        '{"question": "", "images": 3}',
        "[" * 10_000,
    ],
)
def test_a_broken_line_of_a_batch_is_named(tmp_path: Path, line: str) -> None:
    file = tmp_path / "batch.jsonl"
    file.write_text(json.dumps({"question": "fine"}) + "\n" + line + "\n")
    with pytest.raises(DataError, match=rf"{file}:2: not a question"):
        read_batch(str(file))


def test_an_empty_or_missing_batch_is_said(tmp_path: Path) -> None:
    (tmp_path / "empty.jsonl").write_text("\n")
    with pytest.raises(DataError, match="no questions"):
        read_batch(str(tmp_path / "empty.jsonl"))
    with pytest.raises(DataError, match="No such file"):
        read_batch(str(tmp_path / "none.jsonl"))
