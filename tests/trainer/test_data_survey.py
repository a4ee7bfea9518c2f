"""What a check finds in a whole data set, and how a sample is shown."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from tests.trainer.trained import Said
from vlmft_core.errors import DataError
from vlmft_core.jobs import InspectJob
from vlmft_core.preset import Data, Source
from vlmft_trainer.data.encode import Encoder
from vlmft_trainer.data.preview import preview
from vlmft_trainer.data.sources import open_split
from vlmft_trainer.data.survey import Survey, figures, histogram
from vlmft_trainer.programs import inspect_data


def entry(question: str, answer: str = "red", image: str | None = "a.png") -> dict[str, Any]:
    mark = "<image>\n" if image else ""
    said = [{"from": "human", "value": mark + question}, {"from": "gpt", "value": answer}]
    return {"conversations": said} | ({"image": image} if image else {})


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder whose eval split has a question of its training split, under another name of the same image."""
    for name, colour in (("a", "red"), ("copy", "red"), ("b", "blue")):
        Image.new("RGB", (84, 56), colour).save(tmp_path / f"{name}.png")
    train = [entry("Colour?"), entry("Shape?"), entry("Colour?"), entry("Hi", image=None), entry("x", image="gone.png")]
    held = [entry("Colour?", "RED", image="copy.png"), entry("Colour?", image="b.png")]
    (tmp_path / "train.json").write_text(json.dumps(train, indent=1))
    (tmp_path / "val.json").write_text(json.dumps(held))
    return tmp_path


def source(folder: Path) -> Source:
    return Source(task="llava", path=str(folder))


def test_a_check_counts_what_is_unusable_twice_and_leaked(folder: Path, encoder: Encoder) -> None:
    said: list[tuple[str, Any]] = []
    data = Data(sources=[source(folder)], max_train=1, max_bad=0.2)
    found = inspect_data.check(data, encoder, lambda name, value: said.append((name, value)))
    [checked] = found["sources"]
    training, held = checked["splits"]
    assert (training["samples"], training["usable"], training["text_only"], training["images"]) == (5, 4, 1, 1)
    asked = training["asked_images"]
    assert (asked["questions"], asked["images"]) == (3, 1)
    assert 2 * 6 < asked["saved_tokens"] < training["tokens"]["sum"] - training["image_tokens"]["min"]
    gone = training["unusable"]["no image"]
    assert (gone["count"], "train.json, line " in gone["places"][0], "gone.png" in gone["places"][0]) == (1, True, True)
    assert training["duplicates"]["count"] == 1
    assert checked["leaks"]["count"] == 1
    assert checked["leaks"]["places"][0].startswith(f"{folder}/val.json, line 1, row 1 = {folder}/train.json, line ")
    assert checked["shared_images"] == 1
    assert held["image_tokens"] == {"min": 6, "median": 6, "p95": 6, "max": 6, "sum": 12}
    assert found["starts"]
    assert ("progress", {"task": str(folder), "side": "training", "done": 5, "total": 5}) in said


def test_a_check_counts_questions_without_text_and_images_that_only_their_ends_are_known_of(
    tmp_path: Path, encoder: Encoder
) -> None:
    Image.new("RGB", (56, 56), "red").save(tmp_path / "a.jpg")
    Image.new("RGB", (56, 56), "red").save(tmp_path / "a.png")
    rows = [{"question": " ", "answer": "x"}, {"question": "", "answer": "x", "image": "a.png"}]
    rows += [{"question": number, "answer": "x", "image": "a.jpg"} for number in range(2)]
    (tmp_path / "rows.json").write_text(json.dumps(rows))
    opened = open_split(Source(task="qa", path=str(tmp_path / "rows.json")), "train")
    for deep, unknown in ((False, 1), (True, 0)):
        survey = Survey("training", opened, range(4), deep=deep)
        survey.read(encoder, 500, lambda done: None)
        found = survey.to_dict()
        assert (found["usable"], found["empty_questions"]) == (4, 1)
        assert (found["images"], found["images_not_decoded"]) == (2, unknown)


def test_options_of_a_source_that_have_no_effect_are_said(folder: Path, encoder: Encoder) -> None:
    def notes(**options: Any) -> str:
        checked = Source(task="llava", path=str(folder), **options)
        found = inspect_data.check(Data(sources=[checked]), encoder, lambda *_: None)
        return "; ".join(found["sources"][0]["notes"])

    assert "not used" not in notes()
    assert f"{folder}: eval_share is not used, as it has an eval split" in notes(eval_share=0.2)
    assert "boxes: absolute is declared, and no training sample has a box" in notes(boxes="absolute")


def test_a_check_says_where_a_training_would_not_start(folder: Path, encoder: Encoder) -> None:
    found = inspect_data.check(Data(sources=[source(folder)], max_bad=0.1), encoder, lambda *_: None)
    assert not found["starts"]


def test_the_task_is_told_by_the_columns(folder: Path, folders: dict[Any, Path], tmp_path: Path) -> None:
    def told(path: Path) -> str:
        task: str = inspect_data.find_task({"path": str(path)})["task"]
        return task

    assert told(folder) == "llava"
    assert {task: told(path) for task, path in folders.items()} == {"chartqa": "chartqa", "textvqa": "textvqa"}
    other = tmp_path / "other.jsonl"
    other.write_text('{"broken\n{"text": "hello"}\n')
    with pytest.raises(DataError, match=r"it has the columns of no task.*llava: conversations"):
        told(other)


def test_a_preview_shows_the_tokens_that_are_trained_on(folder: Path, encoder: Encoder) -> None:
    split = open_split(source(folder), "train")
    shown = preview(split, 0, encoder, 4096, columns=6, rows=6)
    assert [(part["kind"], part.get("text")) for part in shown["segments"][1:]] == [
        ("image", None),
        ("text", "<|vision_end|>Colour?<|im_end|>\n<|im_start|>assistant\n"),
        ("supervised", "red<|im_end|>"),
    ]
    assert sum(part["tokens"] for part in shown["segments"]) == shown["tokens"]
    [image] = shown["images"]
    assert image == {
        "width": 84,
        "height": 56,
        "resized": [84, 56],
        "boxes": [],
        "size": (6, 4),
        "pixels": "ff0000" * 24,
    }
    gone = preview(split, 4, encoder, 4096, columns=6, rows=6)
    assert (gone["bad"], gone["detail"]) == ("no image", f"{folder / 'gone.png'}: no such file")


def test_answers_that_stand_for_nothing_are_counted(tmp_path: Path, encoder: Encoder) -> None:
    rows = [{"question": "q", "answer": answer} for answer in ("nan", " None", "N/A", "none of them", "x")]
    (tmp_path / "a.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    survey = Survey("training", open_split(Source(task="qa", path=str(tmp_path / "a.jsonl")), "train"), range(5))
    survey.read(encoder, 4096, lambda done: None)
    assert survey.notes()[0].startswith("3 training samples with an answer of nan, None, null or N/A and nothing else")


def test_a_preview_refuses_what_the_check_refuses(tmp_path: Path, encoder: Encoder) -> None:
    rows = [{"question": "q", "answer": " "}, {"question": "q " * 60, "answer": "a"}]
    (tmp_path / "a.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    split = open_split(Source(task="qa", path=str(tmp_path / "a.jsonl")), "train")
    shown = [preview(split, row, encoder, 64, columns=6, rows=6) for row in (0, 1)]
    assert [one["bad"] for one in shown] == ["empty answer", "longer than data.max_length"]


def test_the_program_shows_samples(folder: Path) -> None:
    asked = {"path": str(folder), "task": None, "images": "", "train_split": "train", "eval_split": None}
    said = Said()
    job = InspectJob(mode="show", data=Data(), source=asked, base="demo", limit=2, columns=4, rows=4)
    inspect_data.inspect_data(job, said)
    assert said.all[0] == ("base", {"name": "demo", "note": ""})
    assert [(name, value["where"]) for name, value in said.all[1:]] == [
        ("sample", f"{folder}/train.json, line {line}") for line in (2, 28)
    ]


def program(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "vlmft_trainer.programs", *arguments], capture_output=True, text=True, timeout=300
    )


def test_a_mistake_is_an_answer_in_json_and_its_own_exit_code() -> None:
    asked = {"path": "/none", "task": None, "images": "", "train_split": "train", "eval_split": None}
    job = InspectJob(mode="check", data=Data(), source=asked, base="demo")
    done = program("inspect_data", job.model_dump_json())
    assert done.returncode == 2
    answers = [json.loads(line) for line in done.stdout.splitlines()]
    assert answers == [{"error": "data source /none: no such folder (check data.sources in the preset)"}]


@pytest.mark.parametrize("arguments", [[], ["eval"], ["nonsense", "{}"], ["eval", "{}"], ["merge", "{"]])
def test_what_is_no_job_is_refused_without_an_answer(arguments: list[str]) -> None:
    done = program(*arguments)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith("not a job: ")


def test_a_base_that_is_not_here_is_replaced_by_the_demos_and_said() -> None:
    _, base, note = inspect_data.find_encoder("someone/never-downloaded", False, 1003520)
    assert base == "demo"
    assert note.startswith("someone/never-downloaded is not on this machine")


def test_figures_and_histograms_of_lengths() -> None:
    assert figures([]) is None
    assert figures([5, 1, 3]) == {"min": 1, "median": 3, "p95": 3, "max": 5, "sum": 9}
    assert histogram([]) == []
    assert histogram([7]) == [(7, 7, 1)]
    bars = histogram([101, 149, 400])
    assert bars[0] == (100, 149, 2)
    assert bars[-1] == (400, 449, 1)
    assert sum(count for _, _, count in bars) == 3


def test_what_a_score_of_the_data_can_say_is_said(tmp_path: Path, encoder: Encoder) -> None:
    Image.new("RGB", (84, 56), "red").save(tmp_path / "a.png")
    asked = [{"image": "a.png", "question": f"q{n}", "answers": ["a"] * (1 if n % 2 else 5)} for n in range(10)]
    for name in ("train", "val"):
        (tmp_path / f"{name}.json").write_text(json.dumps(asked))

    def notes(**changes: Any) -> list[str]:
        data = Data(sources=[Source(task="textvqa", path=str(tmp_path), **changes)])
        noted: list[str] = inspect_data.check(data, encoder, lambda *_: None)["sources"][0]["notes"]
        return noted

    most, few = notes()
    assert most.startswith("textvqa: its score cannot be more than 50.0 % here")
    assert few.startswith("10 eval questions: ")
    (tmp_path / "elsewhere").mkdir()
    assert f"image paths start from {tmp_path}/elsewhere: name another folder with --images" in "\n".join(
        notes(images=str(tmp_path / "elsewhere"))
    )
