"""Predictions: answers to questions about images, from the base or with an adapter.

Says `answer` (`index`, `image`, `question`, `answer`) for each question, in their order.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from vlmft_core.errors import DataError, first_line
from vlmft_core.jobs import Ask, PredictJob
from vlmft_trainer.data.samples import Samples
from vlmft_trainer.data.sources import Split
from vlmft_trainer.model.evaluate import answer_questions
from vlmft_trainer.programs import Say
from vlmft_trainer.programs.load_weights import load_weights

QUESTION_COLUMNS = {"chartqa": "query", "textvqa": "question"}
"""Where a row of each task that words its questions has the question."""


@dataclass(frozen=True)
class AskedRows:
    """Questions as rows of a data set."""

    task: str
    asked: Sequence[Ask]

    def __len__(self) -> int:
        return len(self.asked)

    def __getitem__(self, row: int) -> Mapping[str, Any]:
        one = self.asked[row]
        if column := QUESTION_COLUMNS.get(self.task):
            return {"image": one.image, column: one.question, "label": [], "answers": []}
        picture = [] if one.image is None else [{"type": "image", "image": one.image}]
        content = [*picture, {"type": "text", "text": one.question}]
        return {"messages": [{"role": "user", "content": content}, {"role": "assistant", "content": ""}]}

    def where(self, row: int) -> str:
        return f"question {row + 1}"


def predict(job: PredictJob, say: Say) -> None:
    """Answer all questions of the job.

    Raises:
        VlmftError: the model cannot be loaded, or a question or its image cannot be read.
    """
    asked = [*job.questions, *(read_batch(Path(job.batch)) if job.batch else [])]
    task = job.task if job.task in QUESTION_COLUMNS else "messages"
    split = Split(task, AskedRows(task, asked))
    check_images(split)
    model, encoder = load_weights(job, say)
    size = job.preset.evaluation.micro_batch
    for start in range(0, len(asked), size):
        rows = range(start, min(start + size, len(asked)))
        samples = Samples([split], [(0, row) for row in rows], encoder)
        answers = answer_questions(model, samples, batch_size=size, max_new_tokens=job.max_new_tokens)
        for row, answer in zip(rows, answers or [], strict=True):
            one = asked[row]
            say("answer", {"index": row, "image": one.image, "question": one.question, "answer": answer})


def check_images(split: Split) -> None:
    """Refuse a question whose image is missing or broken before the model is loaded.

    Raises:
        DataError: the first such.
    """
    for row in range(len(split)):
        try:
            split.sample(row)
        except (OSError, ValueError, SyntaxError) as error:  # what Pillow and the data's reader raise
            raise DataError(f"{split.where(row)}: {first_line(error)}") from error


def read_batch(file: Path) -> list[Ask]:
    """Questions from a JSONL file; other keys of a line are passed over.

    Raises:
        DataError: it cannot be read, or a line is not what it should be.
    """
    try:
        lines = file.read_bytes().split(b"\n")
    except OSError as error:
        raise DataError(f"{file}: {error.strerror}") from error
    asked = []
    for number, line in enumerate(lines, start=1):
        if not line.strip():
            continue
        try:
            values = json.loads(line)
            one = Ask(question=values["question"], image=values.get("image"))
        except (ValueError, KeyError, TypeError, AttributeError, ValidationError):
            raise DataError(
                f"{file}:{number}: not a question", 'each line is {"image": "chart.png", "question": "…"}'
            ) from None
        asked.append(one if one.image is None else Ask(question=one.question, image=str(file.parent / one.image)))
    if not asked:
        raise DataError(f"{file}: no questions")
    return asked
