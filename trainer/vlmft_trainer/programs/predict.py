"""Predictions: answers to questions about images, from the base or with an adapter.

Says `answer` (`index`, `images`, `question`, `answer`, `id` where the question has one, and `pictures`, small copies,
where they are wanted) for each question, in their order.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, Final

from pydantic import ValidationError

from vlmft_core.errors import DataError, first_line
from vlmft_core.jobs import STANDARD_INPUT, Ask, PredictJob
from vlmft_trainer.data.file_faults import repeated_key
from vlmft_trainer.data.preview import picture
from vlmft_trainer.data.samples import Samples
from vlmft_trainer.data.sources import Split
from vlmft_trainer.model.evaluate import answer_questions
from vlmft_trainer.programs import Say
from vlmft_trainer.programs.load_weights import load_weights

QUESTION_COLUMNS = {"chartqa": "query", "textvqa": "question"}
"""Where a row of each task that words its questions has the question."""

SHOWN: Final = 200
"""Characters of an image's name in an answer; a `data:` URL has more."""


@dataclass(frozen=True)
class AskedRows:
    """Questions as rows of a data set.

    Attributes:
        places: how a message names each.
    """

    task: str
    asked: Sequence[Ask]
    places: Sequence[str]

    def __len__(self) -> int:
        return len(self.asked)

    def __getitem__(self, row: int) -> Mapping[str, Any]:
        one = self.asked[row]
        images = [content_of(image) for image in one.images]
        if column := QUESTION_COLUMNS.get(self.task):
            return {"image": images, column: one.question, "label": [], "answers": []}
        turns = [{"role": "user", "content": one.question}, {"role": "assistant", "content": ""}]
        return {"messages": turns, "images": images}

    def where(self, row: int) -> str:
        return self.places[row]


def predict(job: PredictJob, say: Say) -> None:
    """Answer all questions of the job.

    Raises:
        VlmftError: the model cannot be loaded, or a question or its image cannot be read.
    """
    task = job.task if job.task in QUESTION_COLUMNS else "messages"
    numbered = [f"question {number}" for number in range(1, len(job.questions) + 1)]
    asked, splits = list(job.questions), [Split(task, AskedRows(task, job.questions, numbered))]
    if job.batch:
        further, lines = read_batch(job.batch)
        asked += further
        folder = None if job.batch == STANDARD_INPUT else Path(job.batch).parent
        splits.append(Split(task, AskedRows(task, further, lines), folder))
    for split in splits:
        for note in check_images(split):
            say("note", note)
    model, encoder = load_weights(job, say)
    size = job.preset.evaluation.micro_batch
    places = [(number, row) for number, split in enumerate(splits) for row in range(len(split))]
    for start in range(0, len(places), size):
        part = places[start : start + size]
        samples = Samples(splits, part, encoder)
        answers = answer_questions(model, samples, batch_size=size, max_new_tokens=job.max_new_tokens)
        for index, answer in enumerate(answers or [], start):
            one = asked[index]
            said = {"index": index} | ({} if one.id is None else {"id": one.id})
            images = [image if len(image) <= SHOWN else f"{image[:SHOWN]}…" for image in one.images]
            small = {"pictures": small_copies(splits, places[index], job)} if job.columns and job.rows else {}
            say("answer", {**said, "images": images, "question": one.question, "answer": answer, **small})


def small_copies(splits: Sequence[Split], place: tuple[int, int], job: PredictJob) -> list[dict[str, Any]]:
    """Each picture of a question, as `preview.picture` has it."""
    split, row = place
    return [picture(image, job.columns, job.rows) for image in splits[split].sample(row)[1]]


def content_of(image: str) -> str | bytes:
    """What an image is read from: its name, or the content that comes on standard input."""
    return _input() if image == STANDARD_INPUT else image


@cache
def _input() -> bytes:
    """All that comes on standard input."""
    return sys.stdin.buffer.read()


def check_images(split: Split) -> list[str]:
    """Refuse a question whose image is missing or broken before the model is loaded.

    Returns:
        What of the questions is not used, a sentence for each that has such.

    Raises:
        DataError: the first such.
    """
    notes = []
    for row in range(len(split)):
        try:
            if unused := split.sample(row)[0].unused:
                notes.append(f"{split.where(row)}: not used: {', '.join(unused)}")
        except (OSError, ValueError, SyntaxError) as error:  # what Pillow and the data's reader raise
            raise DataError(f"{split.where(row)}: {first_line(error)}") from error
    return notes


def read_batch(batch: str) -> tuple[list[Ask], list[str]]:
    """Questions from a JSONL file, or from standard input, and where each stands.

    Raises:
        DataError: it cannot be read, or a line is not what it should be.
    """
    name = "standard input" if batch == STANDARD_INPUT else batch
    try:
        content = _input() if batch == STANDARD_INPUT else Path(batch).read_bytes()
    except OSError as error:
        raise DataError(f"{name}: {error.strerror}") from error
    asked, places = [], []
    for number, line in enumerate(content.removeprefix(b"\xef\xbb\xbf").split(b"\n"), start=1):
        if line.strip():
            asked.append(read_question(line, f"{name}:{number}"))
            places.append(f"{name}:{number}")
    if not asked:
        raise DataError(f"{name}: no questions")
    return asked, places


def read_question(line: bytes, where: str) -> Ask:
    """One line of a batch. `image` may hold one image or none, `images` a list.

    Raises:
        DataError: it is no question, or has a key that would not be used.
    """
    known = 'each line is {"image": "chart.png", "question": "…"}, or with "images": ["a.png", "b.png"], or an "id"'
    try:
        values = json.loads(line)
        if (twice := repeated_key(line, values)) is not None:
            raise DataError(f"{where}: key {twice:.60} is there twice", "keep one")
        if unknown := ", ".join(values.keys() - {"question", "image", "images", "id"}):
            raise DataError(f"{where}: unknown key {unknown}", known)
        one, several = values.get("image"), values.get("images")
        if one is not None and several:
            raise DataError(f"{where}: images in both `image` and `images`", "keep one")
        images = several if one is None and several is not None else [] if one is None else [one]
        asked = Ask(question=values["question"], images=images, id=values.get("id"))
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError, ValidationError):
        raise DataError(f"{where}: not a question", known) from None
    if STANDARD_INPUT in asked.images:
        raise DataError(f"{where}: an image of a batch cannot come on standard input", "name its file")
    return asked
