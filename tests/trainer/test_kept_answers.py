"""Kept answers: the same few questions at every eval, with their pictures, bounded, also in a resumed run."""

from __future__ import annotations

import io
import random
from pathlib import Path
from types import SimpleNamespace

import pytest
from PIL import Image, ImageDraw

from vlmft_core.preset.schema import Evaluation
from vlmft_core.run_folder import answers as file_of_answers
from vlmft_core.run_folder.answers import MOST_QUESTIONS, Answers, read_answers
from vlmft_core.run_folder.layout import RunLayout
from vlmft_core.run_folder.picture import picture_line
from vlmft_trainer.data.samples import Samples
from vlmft_trainer.demo.charts import Style, draw_chart, random_chart
from vlmft_trainer.training import kept_answers
from vlmft_trainer.training.kept_answers import KeptAnswers, shown_questions
from vlmft_trainer.training.kept_points import KeptPoints
from vlmft_trainer.training.run_log import RunLog

TASKS = ("chartqa", "textvqa")
SETTINGS = Evaluation(answers=8, answers_at_evals=4)


@pytest.fixture
def run(tmp_path: Path) -> RunLayout:
    folder = RunLayout(tmp_path)
    folder.logs.mkdir()
    return folder


def answer(kept: KeptPoints, samples: Samples, step: int, limit: int, text: str) -> None:
    """An eval in which each question is answered with `text`."""
    for task in TASKS:
        picked = samples.pick(task, limit)
        kept.keep(step, task, picked, [text] * len(picked))


def keeper(run: RunLayout, samples: Samples, settings: Evaluation = SETTINGS) -> KeptPoints:
    log = RunLog(None)
    return KeptPoints(run, log, KeptAnswers(run, log, samples, settings))


def a_run(run: RunLayout, samples: Samples) -> Answers:
    """The base is asked, then the adapter at an eval, then, in a resumed run, again and at the end."""
    first = keeper(run, samples)
    answer(first, samples, 0, 8, "no idea")
    answer(first, samples, 6, 4, "yes")
    resumed = keeper(run, samples)
    answer(resumed, samples, 6, 4, "no")
    answer(resumed, samples, 12, 8, "12")
    return read_answers(run.answers_file)


def test_the_same_questions_are_kept_at_every_eval_also_after_a_resume(run: RunLayout, samples: Samples) -> None:
    found = a_run(run, samples)
    assert found.not_read == 0
    assert found.evals == [6, 12]
    assert {step: set(said) for step, said in found.by_step.items()} == {
        step: set(found.questions) for step in (0, 6, 12)
    }
    assert {answer.text for answer in found.by_step[6].values()} == {"no"}
    assert [question.task for question in found.questions.values()] == ["chartqa"] * 4 + ["textvqa"] * 4
    assert run.answers_file.read_text().count('"picture"') == 8


def test_a_question_has_its_words_its_right_answers_its_row_and_a_small_picture(
    run: RunLayout, samples: Samples
) -> None:
    found = a_run(run, samples)
    asked = samples.pick("chartqa", 4).conversation(0)
    question = next(iter(found.questions.values()))
    assert question.question == asked.prompt
    assert question.truth == tuple(dict.fromkeys(asked.references))
    assert question.where == samples.splits[0].where(0)
    assert question.images == 1
    assert question.picture is not None
    assert len(set(question.picture.pixels())) > 10
    assert len(question.picture.pixels()) == 3 * question.picture.width * question.picture.height


@pytest.mark.parametrize(
    ("size", "kept"),
    [((1600, 1200), (384, 288)), ((600, 800), (288, 384)), ((3000, 300), (384, 38)), ((100, 40), (100, 40))],
)
def test_a_photo_is_kept_small_within_bounds_and_a_small_thing_in_it_keeps_its_colour(
    size: tuple[int, int], kept: tuple[int, int]
) -> None:
    photo = Image.merge("RGB", [Image.linear_gradient("L").rotate(turn).resize(size) for turn in (0, 90, 180)])
    spot = (0, 0, size[0] // 12, size[1] // 8)
    photo.paste((250, 20, 250), spot)
    file = io.BytesIO()
    photo.save(file, "PNG")
    small = kept_answers.small(file.getvalue())
    assert small is not None
    assert (small.width, small.height) == kept
    assert len(picture_line(small)["rows"]) < 150_000
    middle = 3 * (small.height // 16 * small.width + small.width // 24)
    assert all(abs(a - b) < 16 for a, b in zip(small.pixels()[middle : middle + 3], (250, 20, 250), strict=True))


def test_a_chart_keeps_its_thin_lines() -> None:
    chart = Image.new("RGB", (800, 560), "white")
    pen = ImageDraw.Draw(chart)
    for y in range(20, 560, 80):
        pen.line((0, y, 800, y), fill="#ddd")
    for bar in range(20):
        pen.rectangle((40 * bar, 300, 40 * bar + 20, 560), fill=(12 * bar, 40, 250 - 12 * bar))
        pen.text((40 * bar + 4, 280), f"{bar}%", fill="#222")
    file = io.BytesIO()
    chart.save(file, "PNG")
    small = kept_answers.small(file.getvalue())
    assert small is not None
    chart.thumbnail((384, 288))
    assert max(abs(a - b) for a, b in zip(small.pixels(), chart.tobytes(), strict=True)) < 24


def test_a_small_picture_of_few_colours_is_kept_as_it_is_and_a_broken_one_not_at_all() -> None:
    chance = random.Random(1)
    style = Style(paper=(250, 250, 245), ink=(20, 20, 30), axis_top=40, jitter=9, grid=True)
    drawn = draw_chart(random_chart(chance), style, chance)
    file = io.BytesIO()
    drawn.save(file, "PNG")
    small = kept_answers.small(file.getvalue())
    assert small is not None
    assert ((small.width, small.height), small.pixels()) == (drawn.size, drawn.tobytes())
    assert kept_answers.small(file.getvalue()[:200]) is None


def test_what_an_answer_is_worth_is_kept_with_it(run: RunLayout, samples: Samples) -> None:
    kept, picked = keeper(run, samples), samples.pick("chartqa", 4)
    right = picked.conversation(0).references[0]
    kept.keep(6, "chartqa", picked, [right, "no idea", "no idea", "no idea"])
    assert [answer.points for answer in read_answers(run.answers_file).by_step[6].values()] == [1, 0, 0, 0]


@pytest.mark.parametrize(
    ("answers", "at_evals", "count"),
    [(500, 100, 50), (500, 0, 50), (500, 500, 50), (30, 7, 14), (500, 300, 50), (7, 5, 10), (0, 0, 0)],
)
def test_at_most_fifty_questions_are_kept_and_all_of_them_are_asked_at_every_eval(
    samples: Samples, answers: int, at_evals: int, count: int
) -> None:
    many = Samples(samples.splits, [(split, row) for split in (0, 1) for row in range(1000)], samples.encoder)
    settings = Evaluation(answers=answers, answers_at_evals=at_evals)
    chosen = shown_questions(many, settings)
    assert len(chosen) == count <= MOST_QUESTIONS
    assert chosen == shown_questions(many, settings)
    for limit in filter(None, (at_evals,)):
        asked = {place for task in TASKS for place in many.pick(task, limit).places}
        assert chosen <= asked


def test_a_full_file_and_a_full_disk_end_no_training_and_are_said(
    run: RunLayout, samples: Samples, monkeypatch: pytest.MonkeyPatch
) -> None:
    notes: list[str] = []
    log = SimpleNamespace(note=notes.append)
    monkeypatch.setattr(file_of_answers, "MOST_BYTES", 1_000)
    kept = KeptPoints(run, log, KeptAnswers(run, log, samples, SETTINGS))  # type: ignore[arg-type]
    answer(kept, samples, 0, 8, "no idea")
    answer(kept, samples, 6, 4, "no idea")
    assert len(notes) == 1
    assert "full" in notes[0]

    def no_room(*_: object) -> None:
        raise OSError("no space left")

    monkeypatch.setattr(kept_answers, "add_answers", no_room)
    monkeypatch.setattr(kept_answers, "add_questions", no_room)
    other = KeptPoints(run, log, KeptAnswers(run, log, samples, SETTINGS))  # type: ignore[arg-type]
    answer(other, samples, 12, 8, "no idea")
    assert notes[-1] == "what was answered to textvqa questions is not kept: no space left"
